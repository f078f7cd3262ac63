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

export function pageOf(models: readonly ProvedModel[]): string {
  const rows = models.map(({ name, what, result }) => {
    const [cpu = "", gpu = ""] = cells(result);
    return `| ${name} | ${what} | ${result.native.perplexity} | ${cpu} | ${gpu} |`;
  });
  const worst = models.flatMap(({ result }) =>
    Object.values(result.devices).map(({ difference }) => Math.abs(difference)),
  );
  return `${head(models.length, Math.max(...worst))}${rows.join("\n")}\n`;
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
