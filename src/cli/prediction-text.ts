/** How fast a model will run, as commands say it. */
import type { PredictedModel, PredictedWay, Prediction } from "../index.ts";

const notMeasured =
  "unknown: this machine was not measured yet; hearth doctor --measure does it once, in some seconds";

/** Lines for a table of facts; the first is what hearth would pick. */
export function predictionFacts(
  prediction: Prediction | undefined,
): readonly (readonly [string, string])[] {
  if (prediction === undefined) return [["predicted", notMeasured]];
  const [first, ...others] = prediction.ways;
  if (first === undefined) return [];
  return [
    ["predicted", `${wayText(first)} (${prediction.reason})`],
    ...others.map((way) => ["or", wayText(way)] as const),
  ];
}

/** Of a model that is elsewhere: the way that hearth would pick, then the others, or why there is none. */
export function speedText({ prediction, reason }: PredictedModel): string {
  const [first, ...others] = prediction?.ways ?? [];
  if (first === undefined) return `does not run: ${reason}`;
  const rest = others.map(
    ({ decodeTokensPerSecond, device, sparsity }) =>
      `, or ${rate(decodeTokensPerSecond)} on ${device}, ${sparsity}`,
  );
  return wayText(first) + rest.join("");
}

/** "43 tokens/s, prompts 260 tokens/s, on cpu, dense" */
function wayText(way: PredictedWay): string {
  const { device, sparsity, decodeTokensPerSecond: decode, promptTokensPerSecond: prompt } = way;
  const prompts = prompt === undefined ? "" : `, prompts ${rate(prompt)} tokens/s`;
  return `${rate(decode)} tokens/s${prompts}, on ${device}, ${sparsity}`;
}

/** Two digits: a prediction is no better. */
function rate(tokensPerSecond: number): string {
  return String(Number(tokensPerSecond.toPrecision(2)));
}

export function predictionJson(prediction: Prediction | undefined): object | null {
  if (prediction === undefined) return null;
  return {
    machine: prediction.machine,
    reason: prediction.reason,
    ways: prediction.ways.map((way) => ({
      device: way.device,
      sparsity: way.sparsity,
      decode_tokens_per_second: way.decodeTokensPerSecond,
      prompt_tokens_per_second: way.promptTokensPerSecond ?? null,
      bytes_per_token: way.bytesPerToken ?? null,
    })),
  };
}
