/** ARC, easy and challenge, as the EleutherAI harness defines them: lm-evaluation-harness at 4e7e0d4, lm_eval/tasks/arc. */
import { choicesAfter, type EvalTask, type Question } from "./question.ts";
import { type DataRecord, findDataFile, isFields, readJsonRecords } from "./records.ts";

export const arcEasy: EvalTask = arcTask("arc_easy", ["arc/ARC-Easy-Test.jsonl", "arc/easy.json"]);
export const arcChallenge: EvalTask = arcTask("arc_challenge", [
  "arc/ARC-Challenge-Test.jsonl",
  "arc/challenge.json",
]);

function arcTask(name: "arc_easy" | "arc_challenge", files: readonly string[]): EvalTask {
  return {
    name,
    metrics: ["acc", "acc_norm"],
    definition: '"Question: {question}\\nAnswer:" + " {choice}"; acc_norm divides by characters',
    takesExamples: false,
    load: (folder) => readJsonRecords(findDataFile(folder, files)).map(arcQuestion),
  };
}

function arcQuestion(record: DataRecord, index: number): Question {
  const { question, texts, gold } = record.has("instruction")
    ? fromInstruction(record)
    : fromOriginal(record);
  return {
    id: String(index),
    choices: choicesAfter(`Question: ${question}\nAnswer:`, texts),
    gold,
  };
}

interface ArcItem {
  readonly question: string;
  readonly texts: readonly string[];
  readonly gold: number;
}

/** As AI2 publishes it: {"question": {"stem", "choices": [{"label", "text"}]}, "answerKey"}. */
function fromOriginal(record: DataRecord): ArcItem {
  const question = record.value("question");
  const choices: unknown = isFields(question) ? question["choices"] : undefined;
  if (!isFields(question) || typeof question["stem"] !== "string" || !Array.isArray(choices)) {
    throw record.problem("question", question, "a stem and choices");
  }
  const read = (key: string): readonly string[] =>
    choices.map((choice: unknown) => {
      const value: unknown = isFields(choice) ? choice[key] : undefined;
      if (typeof value !== "string") throw record.problem(`choices.${key}`, choice, "a text");
      return value;
    });
  const gold = record.indexIn("answerKey", read("label"));
  return { question: question["stem"], texts: read("text"), gold };
}

/** The form in which LLM-Adapters keeps the sets: question and numbered answers in one instruction. */
function fromInstruction(record: DataRecord): ArcItem {
  const instruction = record.text("instruction");
  const match = /to the question: ([\s\S]*)\n\nAnswer1: ([\s\S]*)\n\nAnswer format: /.exec(
    instruction,
  );
  if (match === null) throw record.problem("instruction", instruction, "a question and answers");
  const [, question = "", answers = ""] = match;
  const texts = answers.split(/ Answer[2-9]: /).map((text) => text.trim());
  const labels = texts.map((_, i) => `answer${i + 1}`);
  if (texts.length < 2) throw record.problem("instruction", instruction, "two answers or more");
  return { question, texts, gold: record.indexIn("answer", labels) };
}
