/**
 * winogrande by partial scoring: the sentence up to the blank with each option filled in is the context, the rest of
 * the sentence the continuation, the same for both. Source: lm-evaluation-harness at 4e7e0d4, lm_eval/tasks/winogrande.
 */
import { charactersOf, type EvalTask, type Question } from "./question.ts";
import { type DataRecord, findDataFile, readJsonRecords } from "./records.ts";

export const winogrande: EvalTask = {
  name: "winogrande",
  metrics: ["acc"],
  definition:
    "the sentence up to the blank with each option in its place, then the rest of the sentence is scored; no normalisation",
  takesExamples: false,
  load: (folder) => {
    const path = findDataFile(folder, ["winogrande/dev.jsonl", "winogrande/dev.json"]);
    return readJsonRecords(path).map(winograndeQuestion);
  },
};

function winograndeQuestion(record: DataRecord, index: number): Question {
  const { sentence, options, gold } = record.has("instruction")
    ? fromInstruction(record)
    : {
        sentence: record.text("sentence"),
        options: [record.text("option1"), record.text("option2")],
        gold: record.indexIn("answer", ["1", "2"]),
      };
  const blank = sentence.indexOf("_");
  if (blank < 0) throw record.problem("sentence", sentence, 'a sentence with "_" for the blank');
  const continuation = ` ${sentence.slice(blank + 1).trim()}`;
  const choices = options.map((option) => {
    const context = sentence.slice(0, blank) + option;
    return { context, continuation, characters: charactersOf(continuation) - 1 };
  });
  return { id: String(index), choices, gold };
}

const instructionPattern =
  /given sentence: ([\s\S]*)\n\nOption1: ([\s\S]*) Option2: ([\s\S]*) Answer format: option1\/option2$/;

/** The form in which LLM-Adapters keeps the set: sentence and options in one instruction. */
function fromInstruction(record: DataRecord): {
  readonly sentence: string;
  readonly options: readonly string[];
  readonly gold: number;
} {
  const match = instructionPattern.exec(record.text("instruction").trimEnd());
  if (match === null) {
    throw record.problem("instruction", record.value("instruction"), "a sentence and two options");
  }
  const [, sentence = "", ...options] = match;
  return { sentence, options, gold: record.indexIn("answer", ["option1", "option2"]) };
}
