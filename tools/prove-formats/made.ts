/** Small made models in one weight type, whose perplexity native llama.cpp knows: the suite compares it without. */
import { perplexity } from "../../src/commands/perplexity.ts";
import type { WeightType } from "../../src/core/dtype.ts";
import { makeModel } from "../make-model/make-model.ts";
import { parseOptions } from "../make-model/options.ts";
import { provedText } from "../prove-models/text.ts";

export const madeContext = 256;

export interface GoldenFormat {
  readonly type: WeightType;
  /** Of one window of provedText, of the values in F32 as ggml decodes them. */
  readonly perplexity: number;
}

export async function makeTyped(path: string, type: WeightType): Promise<void> {
  const shape = "--dim 256 --layers 2 --ffn 256 --heads 4 --vocab 512 --seed 3";
  await makeModel(parseOptions([path, ...`${shape} --type ${type.toLowerCase()}`.split(" ")]));
}

/** Of the first window, with inputs that are not rounded. */
export async function madePerplexity(path: string): Promise<number> {
  const exact = { device: "cpu", exact: true, sparsity: "dense", cacheType: "f32" } as const;
  const size = { contextLength: madeContext, window: madeContext, maxTokens: madeContext };
  return (await perplexity(path, provedText, { ...exact, ...size })).perplexity;
}
