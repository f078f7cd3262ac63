/**
 * piqa, rte and copa as the EleutherAI harness defines them. Source: lm-evaluation-harness at 4e7e0d4,
 * lm_eval/tasks/{piqa,glue/rte,super_glue/copa}.
 */

import { FileFormatError } from "../../../core/errors.ts";
import { readTextFile } from "../../../io/open-file.ts";
import { type Choice, choicesAfter, type EvalTask, type Question } from "./question.ts";
import { DataRecord, findDataFile, readCsvRecordsNamed, readJsonRecords } from "./records.ts";

export const piqa: EvalTask = {
  name: "piqa",
  metrics: ["acc", "acc_norm"],
  definition: '"Question: {goal}\\nAnswer:" + " {solution}"; acc_norm divides by characters',
  takesExamples: false,
  load: (folder) => {
    const records = readJsonRecords(findDataFile(folder, ["piqa/valid.jsonl"]));
    const labels = readLabels(findDataFile(folder, ["piqa/valid-labels.lst"]), records.length);
    return records.map((record, i): Question => {
      const context = `Question: ${record.text("goal")}\nAnswer:`;
      const choices = choicesAfter(context, [record.text("sol1"), record.text("sol2")]);
      return { id: String(i), choices, gold: labels[i] ?? 0 };
    });
  },
};

/** One label a line, one line for each question. */
function readLabels(path: string, count: number): readonly number[] {
  const lines = readTextFile(path).trimEnd().split("\n");
  if (lines.length !== count) {
    throw new FileFormatError({
      file: path,
      where: `line ${Math.min(lines.length, count) + 1}`,
      found: `${lines.length} labels`,
      expected: `${count}, one for each question`,
    });
  }
  return lines.map((label, i) =>
    new DataRecord(path, i + 1, { label }).indexIn("label", ["0", "1"]),
  );
}

export const rte: EvalTask = {
  name: "rte",
  metrics: ["acc"],
  definition:
    '"{premise}\\nQuestion: {hypothesis} True or False?\\nAnswer:" + " True" or " False"; no normalisation',
  takesExamples: false,
  load: (folder) => {
    const path = findDataFile(folder, ["rte/dev.csv", "rte/val.jsonl"]);
    const records = path.endsWith(".csv") ? readCsvRecordsNamed(path) : readJsonRecords(path);
    return records.map((record, i): Question => {
      const context = `${record.text("premise")}\nQuestion: ${record.text("hypothesis")} True or False?\nAnswer:`;
      const gold = record.indexIn("label", ["entailment", "not_entailment"]);
      return { id: String(i), choices: choicesAfter(context, ["True", "False"]), gold };
    });
  },
};

export const copa: EvalTask = {
  name: "copa",
  metrics: ["acc"],
  definition:
    '"{premise without its full stop} because" or "… therefore" + "  {alternative, first letter small}" (two spaces, as the harness has it); no normalisation',
  takesExamples: false,
  load: (folder) => {
    const path = findDataFile(folder, ["copa/val.jsonl", "copa/balanced-copa-dev-all.xml"]);
    const records = path.endsWith(".xml") ? readCopaXml(path) : readJsonRecords(path);
    return records.map(copaQuestion);
  },
};

function copaQuestion(record: DataRecord, index: number): Question {
  const connector = ["because", "therefore"][record.indexIn("question", ["cause", "effect"])];
  const context = `${record.text("premise").trim().slice(0, -1)} ${connector}`;
  const alternatives = [record.text("choice1"), record.text("choice2")].map(
    (choice) => ` ${choice.charAt(0).toLowerCase()}${choice.slice(1)}`,
  );
  const id = record.has("id") ? String(record.value("id")) : String(index);
  const choices: readonly Choice[] = choicesAfter(context, alternatives);
  return { id, choices, gold: record.indexIn("label", ["0", "1"]) };
}

/** Ids up to here are COPA's own development set; Balanced COPA's mirrored items follow from 1001. */
const lastOriginal = 500;
const itemPattern =
  /^<item\s+id="(\d+)"\s+asks-for="(\w+)"\s+most-plausible-alternative="(\w+)"\s*>\s*<p>([^<]*)<\/p>\s*<a1>([^<]*)<\/a1>\s*<a2>([^<]*)<\/a2>\s*<\/item>/;

function readCopaXml(path: string): readonly DataRecord[] {
  const text = readTextFile(path);
  const records: DataRecord[] = [];
  for (const { index } of text.matchAll(/<item\b/g)) {
    const line = text.slice(0, index).split("\n").length;
    const match = itemPattern.exec(text.slice(index, index + 4000));
    const place = new DataRecord(path, line, {});
    if (match === null) throw place.problem("item", text.slice(index, index + 60), "a COPA item");
    const [, id, question, best, premise = "", choice1 = "", choice2 = ""] = match;
    if (Number(id) > lastOriginal) continue;
    const label = new DataRecord(path, line, { best }).indexIn("best", ["1", "2"]);
    const texts = { premise, choice1, choice2 };
    const decoded = Object.fromEntries(
      Object.entries(texts).map(([key, value]) => [key, decodeEntities(value)]),
    );
    records.push(new DataRecord(path, line, { id, question, label, ...decoded }));
  }
  if (records.length > 0) return records;
  throw new DataRecord(path, 1, {}).problem("item", undefined, "COPA items with ids from 1 to 500");
}

const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
};

function decodeEntities(text: string): string {
  return text.replaceAll(/&\w+;/g, (entity) => entities[entity] ?? entity);
}
