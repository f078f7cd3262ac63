/**
 * Scales of one number beside matrices (`NAME.scale`), which multiply what the matrix gives. Those of a feed-forward
 * block become factors around it, so that no backend knows them. Source: llama.cpp, build_lora_mm and build_ffn.
 */
import { UnsupportedError } from "../core/errors.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import type { Norm, WeightFinder } from "./weights.ts";

/** What is done to a block's input and to its result. */
export interface BlockScales {
  readonly input: number;
  readonly output: number;
}

/** Far from where a square leaves f32. */
const largest = 1e6;

/** The scale of matrix `name`; undefined where the file has none, or 1. */
export function readWeightScale(finder: WeightFinder, name: string): number | undefined {
  const tensor = `${name}.scale`;
  const value = readFactor(finder, tensor);
  if (value !== undefined && finder.has(`${name}.bias`)) {
    throw new UnsupportedError(`a scale beside a bias (${tensor} and ${name}.bias)`, [
      "a scale or a bias",
    ]);
  }
  return value === 1 ? undefined : value;
}

/** The one number of a tensor; undefined where the file has none. */
export function readFactor(finder: WeightFinder, tensor: string): number | undefined {
  if (!finder.has(tensor)) return undefined;
  const { bytes, type } = finder.vector(tensor, 1);
  if (type !== "F32" || bytes.kind !== "file") return finder.fail(tensor, type, "F32");
  const value = new Float32Array(readTensorBytes(bytes).buffer)[0] ?? 0;
  const size = Math.abs(value);
  if (size >= 1 / largest && size <= largest) return value;
  return finder.fail(
    tensor,
    String(value),
    `a number from ${1 / largest} to ${largest} or its opposite`,
  );
}

/**
 * h = act(s·g)·(t·u) and down's scale d, as a block without scales: its input times s makes h·s/t, as u then has s in
 * place of t. The norm with ε·(s/t)² in place of ε then gives the same but for the sign of t/s, which goes to the result
 * with d.
 */
export function scalesAround(
  scales: { readonly gate: number; readonly up: number; readonly down: number },
  hiddenNorm: Norm,
): { readonly around: BlockScales; readonly hiddenNorm: Norm } {
  const { gate, up, down } = scales;
  const ratio = up / gate;
  return {
    around: { input: gate, output: Math.sign(ratio) * down },
    hiddenNorm: { ...hiddenNorm, epsilon: hiddenNorm.epsilon / ratio ** 2 },
  };
}
