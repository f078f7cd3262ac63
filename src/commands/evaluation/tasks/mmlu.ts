/**
 * mmlu as the EleutherAI harness defines it: 57 subjects, the letters scored, solved examples from dev in their order.
 * Source: lm-evaluation-harness at 4e7e0d4, lm_eval/tasks/mmlu/default.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { FileFormatError, OptionError } from "../../../core/errors.ts";
import { locateCsv } from "../../../io/csv.ts";
import { readTextFile } from "../../../io/open-file.ts";
import { choicesAfter, type EvalTask, type Question } from "./question.ts";
import { checkFieldCount, DataRecord } from "./records.ts";

const letters = ["A", "B", "C", "D"];

export const mmlu: EvalTask = {
  name: "mmlu",
  metrics: ["acc"],
  definition:
    '"The following are multiple choice questions (with answers) about {subject}.\\n\\n", solved examples from dev, the question with choices A–D, "Answer:" + " {letter}"; no normalisation; all questions weigh the same',
  takesExamples: true,
  load: (folder, fewShot) => {
    const subjects = listSubjects(join(folder, "mmlu", "test"));
    return subjects.flatMap((subject) => loadSubject(folder, subject, fewShot));
  },
};

function listSubjects(folder: string): readonly string[] {
  const suffix = "_test.csv";
  const names = listFiles(folder).filter((name) => name.endsWith(suffix));
  if (names.length > 0) return names.map((name) => name.slice(0, -suffix.length)).sort();
  throw new OptionError("data", folder, "a folder with {subject}_test.csv");
}

function listFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function loadSubject(folder: string, subject: string, fewShot: number): readonly Question[] {
  const about = subject.replaceAll("_", " ");
  const title = `The following are multiple choice questions (with answers) about ${about}.\n\n`;
  const prefix = title + examplesOf(join(folder, "mmlu/dev", `${subject}_dev.csv`), fewShot);
  const items = readItems(join(folder, "mmlu/test", `${subject}_test.csv`));
  return items.map(
    ({ text, gold }, i): Question => ({
      id: `${subject}/${i}`,
      group: subject,
      choices: choicesAfter(prefix + text, letters),
      gold,
    }),
  );
}

function examplesOf(path: string, count: number): string {
  if (count === 0) return "";
  const items = readItems(path);
  if (items.length < count) {
    throw new FileFormatError({
      file: path,
      where: "file",
      found: `${items.length} examples`,
      expected: `at least ${count}: one for each example that is shown`,
    });
  }
  const solved = items.slice(0, count).map(({ text, gold }) => `${text} ${letters[gold]}\n\n`);
  return solved.join("");
}

interface Item {
  /** The question up to "Answer:". */
  readonly text: string;
  readonly gold: number;
}

/** question, four choices, answer: with a header or without, the answer a letter or an index. */
function readItems(path: string): readonly Item[] {
  const rows = locateCsv(readTextFile(path), path);
  const first = rows[0]?.fields;
  const data = first?.[0] === "question" && first.at(-1) === "answer" ? rows.slice(1) : rows;
  return data.map(({ line, fields }) => {
    checkFieldCount(path, { line, fields }, 6);
    const [question = "", a = "", b = "", c = "", d = "", answer = ""] = fields;
    const record = new DataRecord(path, line, { question, answer });
    const text = `${record.text("question").trim()}\nA. ${a}\nB. ${b}\nC. ${c}\nD. ${d}\nAnswer:`;
    const key = answer.trim();
    const gold = letters.includes(key)
      ? letters.indexOf(key)
      : record.indexIn("answer", ["0", "1", "2", "3"]);
    return { text, gold };
  });
}
