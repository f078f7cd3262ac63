/** Parts that several architectures share: their keys, embedding, attention and feed-forward block. */
import { type MetadataValue, metadataValue } from "../../src/gguf/value.ts";
import {
  bias,
  logitSpread,
  type MadeTensor,
  matrix,
  norm,
  type RecipeModel,
  routedColumns,
} from "./recipe.ts";

const { u32, f32, string } = metadataValue;

/** A score's deviation is gain², so that some keys weigh much more than others. */
const scoreGain = 1.5;
/** Attention averages values of a few tokens; this makes up for it. */
const averaged = 1.5;
/** E[(silu(z)·u)²] for independent standard normal z and u, of its own block 0.36; gelu: 0.43. */
export const hiddenDeviation = 0.6;

export function given<Value>(
  make: (value: Value) => MetadataValue,
  value: Value | undefined,
): MetadataValue | undefined {
  return value === undefined ? undefined : make(value);
}

export function shapeKeys(
  model: RecipeModel,
  epsilon: "layer_norm_rms_epsilon" | "layer_norm_epsilon" = "layer_norm_rms_epsilon",
): Record<string, MetadataValue | undefined> {
  const { feature } = model;
  return {
    context_length: u32(model.context),
    embedding_length: u32(model.dim),
    block_count: u32(model.layers),
    feed_forward_length: u32(model.ffn),
    "attention.head_count": u32(model.heads),
    "attention.head_count_kv": u32(model.kvHeads),
    [`attention.${epsilon}`]: f32(1e-5),
    "rope.freq_base": f32(feature("rope-base") ?? 10000),
    "rope.dimension_count": u32(feature("rope-dims") ?? model.headDim),
  };
}

/** For heads that are not dim / heads long. */
export function headKeys({ headDim }: RecipeModel): Record<string, MetadataValue> {
  return { "attention.key_length": u32(headDim), "attention.value_length": u32(headDim) };
}

export function yarnKeys({ feature }: RecipeModel): Record<string, MetadataValue | undefined> {
  const factor = feature("yarn");
  if (factor === undefined) return {};
  return {
    "rope.scaling.type": string("yarn"),
    "rope.scaling.factor": f32(factor),
    "rope.scaling.original_context_length": given(u32, feature("original-context")),
    "rope.scaling.yarn_beta_fast": given(f32, feature("yarn-beta-fast")),
    "rope.scaling.yarn_beta_slow": given(f32, feature("yarn-beta-slow")),
    "rope.scaling.yarn_log_multiplier": given(f32, feature("yarn-log-multiplier")),
  };
}

/** `scale`: what the model multiplies a token's embedding by. The residual then starts with deviation `residual`. */
export function embedding(model: RecipeModel, scale = 1, logitScale = 1): MadeTensor {
  const sigma = residual(model, scale, logitScale) / scale;
  const gain = sigma * Math.sqrt(model.dim);
  const made = matrix("token_embd", model.vocabulary, model.dim, gain);
  if (model.feature("router-skew") === undefined) return made;
  return { ...made, constant: () => constantDeviations * sigma };
}

/** What a constant channel holds, in deviations of the others: a router with a skew reads it (recipe-experts.ts). */
export const constantDeviations = 2;

/** A tied embedding gives the logits their spread, and the residual what follows from it. */
export function residual(model: RecipeModel, scale = 1, logitScale = 1): number {
  if (model.feature("tied") === undefined) return 1;
  return (logitSpread * logitScale * scale) / Math.sqrt(model.dim);
}

/**
 * A tied output would repeat the token that was read: x·x is large. A last norm whose weights have both signs makes
 * that product as small as any other.
 */
export function lastNorm(model: RecipeModel): MadeTensor {
  const isTied = model.feature("tied") !== undefined;
  const made = norm("output_norm", model.dim);
  return isTied ? { ...made, mean: 0, sigma: 1 } : made;
}

export function output(model: RecipeModel, logitScale = 1): readonly MadeTensor[] {
  if (model.feature("tied") !== undefined) return [];
  return [matrix("output", model.vocabulary, model.dim, logitSpread * logitScale)];
}

/** q, k and v of their own. `gain` 1 for heads that are normed afterwards. */
export function projections(model: RecipeModel, gain: number = scoreGain): readonly MadeTensor[] {
  const { dim, heads, kvHeads, headDim } = model;
  return [
    matrix("attn_q", heads * headDim, dim, gain),
    matrix("attn_k", kvHeads * headDim, dim, gain),
    matrix("attn_v", kvHeads * headDim, dim),
  ];
}

/** A key's bias counts only where it is rotated: what it adds to all scores of a query alike, softmax takes out. */
export function projectionBiases(model: RecipeModel): readonly MadeTensor[] {
  const { heads, kvHeads, headDim } = model;
  return [
    bias("attn_q", heads * headDim, 1),
    bias("attn_k", kvHeads * headDim, 1),
    bias("attn_v", kvHeads * headDim),
  ];
}

/** q, k and v one below the other. */
export function fusedProjections(model: RecipeModel): MadeTensor {
  const { dim, heads, kvHeads, headDim } = model;
  return matrix("attn_qkv", (heads + 2 * kvHeads) * headDim, dim, scoreGain);
}

/** Norms of each head's query and key; the deviation of a score is the product of their means. */
export function headNorms(
  { headDim }: RecipeModel,
  mean: number = scoreGain,
): readonly MadeTensor[] {
  return [norm("attn_q_norm", headDim, mean), norm("attn_k_norm", headDim, mean)];
}

/** What adds to the residual: in a mixture of experts nothing to what its routers read. */
export function adding(model: RecipeModel, made: MadeTensor): MadeTensor {
  if (model.feature("experts") === undefined) return made;
  return { ...made, silentRows: routedColumns(model.dim) };
}

/** `added`: deviation of what it adds to the residual, about. */
export function attentionOutput(model: RecipeModel, added: number): MadeTensor {
  const { dim, heads, headDim } = model;
  return adding(model, matrix("attn_output", dim, heads * headDim, averaged * added));
}

/** h = act(gate)·up. */
export function gatedFfn(
  model: RecipeModel,
  added: number,
  neurons: number = model.ffn,
): readonly MadeTensor[] {
  const { dim } = model;
  return [
    matrix("ffn_gate", neurons, dim),
    matrix("ffn_up", neurons, dim),
    adding(model, matrix("ffn_down", dim, neurons, added / hiddenDeviation)),
  ];
}

/** Gate and up one above the other in ffn_up. */
export function fusedFfn({ dim, ffn }: RecipeModel, added: number): readonly MadeTensor[] {
  return [matrix("ffn_up", 2 * ffn, dim), matrix("ffn_down", dim, ffn, added / hiddenDeviation)];
}
