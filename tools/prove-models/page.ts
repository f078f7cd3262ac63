/** What was proved, as rows for the terminal and as docs/measurements/models.md. */
import type { ProvedCase } from "./cases.ts";
import type { ModelResult } from "./compare.ts";
import type { Measured } from "./measure.ts";

export interface ProvedModel extends ProvedCase {
  readonly result: ModelResult;
}

/** Of the perplexity. Weights and cache are floats: only the order of sums differs. */
const maxDifference = 2e-3;

/** What is wrong, one sentence each. */
export function verdictOf({ devices }: ModelResult): readonly string[] {
  return Object.entries(devices).flatMap(([device, { difference, wrongAnswers = [] }]) => [
    ...(Math.abs(difference) <= maxDifference
      ? []
      : [`WRONG on ${device}: ${percent(difference)}`]),
    ...wrongAnswers.map((answer) => `WRONG answer on ${device}: ${answer}`),
  ]);
}

export function rowOf({ name, what, result }: ProvedModel): string {
  return [`${name}, ${what}: native ${result.native.perplexity}`, ...cells(result)].join(", ");
}

/** The proved models' rows take the place of those of the page `before`; in the order of `cases`. */
export function pageWith(
  models: readonly ProvedModel[],
  { before, cases }: { readonly before: string; readonly cases: readonly ProvedCase[] },
): string {
  const known = before.split("\n").filter((line) => line.startsWith("| "));
  const rows = cases.flatMap((one) => {
    const made = models.find(({ name, what }) => name === one.name && what === one.what);
    return made ? pageRow(made) : (known.find((line) => line.startsWith(rowStart(one))) ?? []);
  });
  const differences = rows.flatMap((row) => row.match(/[−+][\d.]+e-?\d+/g) ?? []);
  const worst = Math.max(...differences.map((text) => Number(text.slice(1))));
  return `${head(rows.length, worst)}${rows.join("\n")}\n`;
}

function pageRow(model: ProvedModel): string {
  const [cpu = "", gpu = ""] = cells(model.result);
  return `${rowStart(model)}${model.result.native.perplexity} | ${cpu} | ${gpu} |`;
}

function rowStart({ name, what }: Pick<ProvedCase, "name" | "what">): string {
  return `| ${name} | ${what} | `;
}

function head(count: number, worst: number): string {
  return `# Made models against native llama.cpp

\`npm run prove:models\` writes this page: models of make-model, ${count} of them, computed by hearth and by native llama.cpp (0.7.0, f32 keys and
values). Perplexity of 4 windows of 256 tokens; the difference is hearth's from native's, at most ${worst.toExponential(1)} of it. Answers: the greedy
24 tokens of three prompts, read by hearth at once and by native one by one; a token that is hardly likelier than another (1e-3; F16: 2e-2) ends the
comparison. The card is one in software (SwiftShader) unless the machine has another.

| model | made | native perplexity | CPU | GPU |
|---|---|---|---|---|
`;
}

function cells({ devices }: ModelResult): readonly string[] {
  return [devices.cpu, devices.gpu].map((result) => (result === undefined ? "" : cell(result)));
}

function cell({ difference, wrongAnswers }: Measured): string {
  if (wrongAnswers === undefined) return percent(difference);
  const answers = wrongAnswers.length === 0 ? "the same answers" : "other answers";
  return `${percent(difference)}, ${answers}`;
}

function percent(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${Math.abs(difference).toExponential(1)}`;
}
