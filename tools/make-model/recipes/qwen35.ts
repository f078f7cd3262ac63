/**
 * Qwen3.5: three layers in four have a state (gated DeltaNet) in place of keys and values; in the fourth, attention's
 * output has a gate, which stands with the queries in attn_q: head after head, query then gate.
 */
import { type MetadataValue, metadataValue } from "../../../src/gguf/value.ts";
import type { Features } from "../features.ts";
import {
  bias,
  type MadeTensor,
  matrix,
  norm,
  type Recipe,
  type RecipeModel,
  vector,
} from "../recipe.ts";
import {
  adding,
  attentionOutput,
  embedding,
  gatedFfn,
  headKeys,
  headNorms,
  lastNorm,
  output,
  residual,
  shapeKeys,
} from "../recipe-parts.ts";

const { u32, i32s } = metadataValue;

interface StateShape {
  readonly size: number;
  readonly groups: number;
  readonly heads: number;
  readonly kernel: number;
}

export function stateOf({ feature, stock }: RecipeModel): StateShape {
  return {
    size: feature("state-size") ?? stock("state-size"),
    groups: feature("state-groups") ?? stock("state-groups"),
    heads: feature("state-heads") ?? stock("state-heads"),
    kernel: feature("convolution") ?? stock("convolution"),
  };
}

export function gatedAttention(model: RecipeModel): readonly MadeTensor[] {
  const { dim, heads, kvHeads, headDim } = model;
  return [
    matrix("attn_q", 2 * heads * headDim, dim),
    matrix("attn_k", kvHeads * headDim, dim),
    matrix("attn_v", kvHeads * headDim, dim),
    ...headNorms(model),
    // A sigmoid's mean is 1/2.
    attentionOutput(model, 2 * residual(model)),
  ];
}

/** `strengths`: of what is written to a state, and how much of it a token leaves; by default each in a matrix. */
export function stateLayer(
  model: RecipeModel,
  strengths: readonly MadeTensor[] = separateStrengths(model),
): readonly MadeTensor[] {
  const { dim } = model;
  const { size, groups, heads, kernel } = stateOf(model);
  const channels = (2 * groups + heads) * size;
  return [
    matrix("attn_qkv", channels, dim),
    matrix("attn_gate", heads * size, dim),
    { ...matrix("ssm_conv1d", channels, kernel), type: "F32" },
    // A token leaves exp(ssm_a·softplus(alpha·x + bias)) of the state: from a half to nearly all.
    bias("ssm_dt", heads, 1),
    vector("ssm_a", heads, { mean: -0.25, sigma: 0.08, neutral: 0 }),
    ...strengths,
    norm("ssm_norm", size),
    adding(model, matrix("ssm_out", dim, heads * size, 2 * residual(model))),
  ];
}

function separateStrengths(model: RecipeModel): readonly MadeTensor[] {
  const { heads } = stateOf(model);
  return [matrix("ssm_beta", heads, model.dim), matrix("ssm_alpha", heads, model.dim, 2)];
}

/** Keys of every Qwen with states but those of its blocks. */
export function mixerKeys(model: RecipeModel): Record<string, MetadataValue | undefined> {
  const { size, groups, heads, kernel } = stateOf(model);
  return {
    ...shapeKeys(model),
    ...headKeys(model),
    "ssm.conv_kernel": u32(kernel),
    "ssm.state_size": u32(size),
    "ssm.group_count": u32(groups),
    "ssm.time_step_rank": u32(heads),
    "ssm.inner_size": u32(heads * size),
    full_attention_interval: u32(model.feature("full-attention-interval") ?? 4),
  };
}

/** Pairs that turn by time, height and width; a text's positions are the same in all three. */
export function sectionKeys({ feature, headDim }: RecipeModel): Record<string, MetadataValue> {
  const angles = (feature("rope-dims") ?? headDim) / 2;
  const third = Math.floor(angles / 3);
  return { "rope.dimension_sections": i32s([angles - 2 * third, third, third, 0]) };
}

export function hasState({ feature }: RecipeModel, layer: number): boolean {
  return (layer + 1) % (feature("full-attention-interval") ?? 4) !== 0;
}

export const mixerFeatures: Features = {
  "head-dim": undefined,
  "rope-base": 10000,
  "rope-dims": 8,
  "full-attention-interval": 4,
  "state-size": 16,
  "state-groups": 2,
  "state-heads": 4,
  convolution: 4,
};

export const qwen35: Recipe = {
  name: "qwen35",
  features: { tied: 1, ...mixerFeatures },
  keys: (model) => ({ ...mixerKeys(model), ...sectionKeys(model) }),
  first: (model) => [embedding(model)],
  layer: (model, layer) => [
    norm("attn_norm", model.dim),
    ...(hasState(model, layer) ? stateLayer(model) : gatedAttention(model)),
    norm("post_attention_norm", model.dim),
    ...gatedFfn(model, 0.7 * residual(model)),
  ],
  last: (model) => [lastNorm(model), ...output(model)],
};
