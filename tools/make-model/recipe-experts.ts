/**
 * What mixtures of experts share: keys, router, one matrix of all experts in place of each matrix of a block, experts
 * that every token uses.
 *
 * Which experts a token is routed to is decided by its embedding: routers read the first quarter of the residual's
 * channels, to which no layer adds. Routers of random rows that read all of it find two experts nearly as good as each
 * other once in a few hundred tokens, and what a program rounds (native llama.cpp: what F16 weights multiply to F16)
 * then chooses between them: perplexities were up to 1 % apart in F16, where nothing was wrong.
 *
 * How `--router-skew Z` holds: the first of those channels are constant, and the router's row of the expert of rank k
 * reads -Z·ln(k) from them, in units of what makes the chance of its being chosen k^-Z.
 */
import { type MetadataValue, metadataValue } from "../../src/gguf/value.ts";
import type { Features } from "./features.ts";
import {
  constantColumns,
  type MadeTensor,
  matrix,
  norm,
  type RecipeModel,
  routedColumns,
  vector,
} from "./recipe.ts";
import { adding, constantDeviations, given, hiddenDeviation } from "./recipe-parts.ts";

const { u32, f32, boolean } = metadataValue;

/** Of every mixture. */
export const expertFeatures: Features = {
  experts: 8,
  "experts-used": 2,
  "expert-ffn": undefined,
  "router-skew": undefined,
};

/** Of those whose files say how experts are chosen and weighed. */
export const routingFeatures: Features = {
  "selection-bias": 1,
  gating: 2,
  "expert-weights-norm": 1,
  "expert-weights-scale": 1.8,
  "expert-groups": undefined,
  "expert-groups-used": undefined,
};

export function expertCount({ feature, stock }: RecipeModel): number {
  return feature("experts") ?? stock("experts");
}

/** Of one expert. */
export function expertNeurons({ feature, ffn }: RecipeModel): number {
  return feature("expert-ffn") ?? ffn;
}

/** Of the block that every token uses: those of all shared experts together; 0: there is none. */
export function sharedNeurons(model: RecipeModel): number {
  return (model.feature("shared-experts") ?? 0) * expertNeurons(model);
}

/** How many experts, and how many a token uses. */
export function expertKeys(model: RecipeModel): Record<string, MetadataValue> {
  const { feature, stock } = model;
  return {
    expert_count: u32(expertCount(model)),
    expert_used_count: u32(feature("experts-used") ?? stock("experts-used")),
  };
}

/** Of `routingFeatures`. */
export function routingKeys({ feature }: RecipeModel): Record<string, MetadataValue | undefined> {
  return {
    expert_gating_func: given(u32, feature("gating")),
    expert_weights_norm: boolean(feature("expert-weights-norm") === 1),
    expert_weights_scale: given(f32, feature("expert-weights-scale")),
    expert_group_count: given(u32, feature("expert-groups")),
    expert_group_used_count: given(u32, feature("expert-groups-used")),
  };
}

/** Deviation of the router's logits: the likeliest of a few experts has most of the weight, not all. */
const routerGain = 2;
/** Of a Gumbel variable. Logits with such noise make choices in proportion to the exponentials of their means. */
const gumbelDeviation = 1.28;

/** [experts, dim], F32 as in all published files. */
export function router(model: RecipeModel, layer: number, gain: number = routerGain): MadeTensor {
  const { dim, feature } = model;
  const skew = feature("router-skew");
  const columns = constantColumns(dim);
  const readColumns = routedColumns(dim);
  // Random channels have variance 1 at the start, and about 1 more behind each layer: norms make small what it reads.
  const variance =
    skew === undefined ? 1 + layer : (1 - 1 / 8) * (1 + layer) + constantDeviations ** 2 / 8;
  const random = skew === undefined ? readColumns : readColumns - columns;
  const made = {
    ...matrix("ffn_gate_inp", expertCount(model), dim),
    sigma: gain * Math.sqrt(variance / random),
    readColumns,
    type: "F32" as const,
  };
  if (skew === undefined) return made;
  const perUnit = Math.sqrt(variance) / (columns * constantDeviations);
  const constant = (expert: number): number =>
    -skew *
    Math.log(rankOf(expert, { count: expertCount(model), layer })) *
    perUnit *
    (gain / gumbelDeviation);
  return { ...made, constant };
}

/** From 1; another in each layer, and no neighbours next to each other. */
function rankOf(expert: number, at: { readonly count: number; readonly layer: number }): number {
  const { count, layer } = at;
  let step = Math.round(0.618 * count) || 1;
  while (greatestDivisor(step, count) > 1) step++;
  return 1 + (((expert + layer) * step) % count);
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** Counts in the choice of experts and not in their weights; of the size of a sigmoid's differences. */
export function selectionBias(model: RecipeModel): readonly MadeTensor[] {
  if (model.feature("selection-bias") === undefined) return [];
  return [vector("exp_probs_b.bias", expertCount(model), { mean: 0, sigma: 0.3, neutral: 0 })];
}

/** `added`: deviation of what an expert of weight 1 adds to the residual. */
export function experts(model: RecipeModel, added: number): readonly MadeTensor[] {
  const { dim } = model;
  const neurons = expertNeurons(model);
  const down = adding(model, matrix("ffn_down_exps", dim, neurons, added / hiddenDeviation));
  if (model.feature("fused-experts") === 1) {
    return [ofExperts(model, matrix("ffn_gate_up_exps", 2 * neurons, dim)), ofExperts(model, down)];
  }
  return [
    ofExperts(model, matrix("ffn_gate_exps", neurons, dim)),
    ofExperts(model, matrix("ffn_up_exps", neurons, dim)),
    ofExperts(model, down),
  ];
}

/** One for each expert. */
export function ofExperts(model: RecipeModel, made: MadeTensor): MadeTensor {
  const dimensions = [...made.dimensions, expertCount(model)];
  return made.type === undefined
    ? { ...made, dimensions, isOfExperts: true }
    : { ...made, dimensions };
}

/** None without shared experts. */
export function sharedExperts(model: RecipeModel, added: number): readonly MadeTensor[] {
  const neurons = sharedNeurons(model);
  if (neurons === 0) return [];
  return [
    matrix("ffn_gate_shexp", neurons, model.dim),
    matrix("ffn_up_shexp", neurons, model.dim),
    adding(model, matrix("ffn_down_shexp", model.dim, neurons, added / hiddenDeviation)),
  ];
}

/** A sigmoid of its product z with the input weighs the shared experts; native llama.cpp has silu(z) / z, which no 0 may be. */
export function sharedGate(model: RecipeModel): MadeTensor {
  const sigma = 2 / Math.sqrt(model.dim);
  return vector("ffn_gate_inp_shexp.weight", model.dim, { mean: 0, sigma, neutral: 1e-3 });
}

/** What a layer has besides, if it is one of those that propose further tokens. */
export function proposingLayer(model: RecipeModel, layer: number): readonly MadeTensor[] {
  const { dim, layers, feature } = model;
  if (layer < layers - (feature("nextn-layers") ?? 0)) return [];
  return [
    matrix("nextn.eh_proj", dim, 2 * dim),
    norm("nextn.enorm", dim),
    norm("nextn.hnorm", dim),
    norm("nextn.shared_head_norm", dim),
  ];
}
