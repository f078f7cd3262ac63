/**
 * The mixtures that people quantise models to: what a model suffers most from takes more bits than the rest.
 * Source: llama.cpp, llama_tensor_get_type_impl (src/llama-quant.cpp), without its case for LLaMA 2 70B; llama.h, llama_ftype.
 */
import { isWeightType, type WeightType, weightFormat } from "../core/dtype.ts";
import type { ModelShape, QuantisedType } from "./quantize-recipe.ts";
import type { TensorInfo } from "./tensor-info.ts";

/** The name that says which rules apply. */
type Recipe = WeightType | MixtureName;
type MixtureName = (typeof mixtures)[number][0];

export interface Mixture {
  /** Of matrices without a rule of their own. */
  readonly type: WeightType;
  /** `general.file_type` */
  readonly fileType: number;
  /** Undefined: all alike. */
  readonly recipe: Recipe | undefined;
}

const mixtures = [
  // name, type of most matrices, general.file_type
  ["Q5_K_M", "Q5_K", 17],
  ["Q5_K_S", "Q5_K", 16],
  ["Q4_K_M", "Q4_K", 15],
  ["Q4_K_S", "Q4_K", 14],
  ["Q3_K_L", "Q3_K", 13],
  ["Q3_K_M", "Q3_K", 12],
  ["Q3_K_S", "Q3_K", 11],
  ["Q2_K_S", "Q2_K", 21],
  ["IQ3_M", "IQ3_S", 27],
  ["IQ3_XS", "IQ3_S", 22],
  ["IQ2_M", "IQ2_S", 29],
  ["IQ2_S", "IQ2_XS", 28],
] as const;

/** What llama-quantize takes these names for. */
const aliases: Readonly<Partial<Record<QuantisedType, MixtureName>>> = {
  Q5_K: "Q5_K_M",
  Q4_K: "Q4_K_M",
  Q3_K: "Q3_K_M",
};

export function mixtureOf(name: QuantisedType): Mixture {
  const wanted = aliases[name] ?? name;
  const mixture = mixtures.find(([known]) => known === wanted);
  if (mixture !== undefined) {
    const [recipe, type, fileType] = mixture;
    return { type, fileType, recipe };
  }
  if (!isWeightType(wanted)) throw new RangeError(`no mixture named ${wanted}`);
  return { type: wanted, fileType: weightFormat(wanted).fileType, recipe: wanted };
}

/** What is asked of a rule. */
interface Case {
  readonly recipe: Recipe;
  readonly type: WeightType;
  readonly layer: number;
  readonly model: ModelShape;
}

type Rule = (one: Case) => WeightType;

/** The type of a matrix in a mixture, whatever the length of its rows. */
export function mixedType(
  { name, dimensions }: TensorInfo,
  { type, recipe }: Mixture & { readonly recipe: Recipe },
  model: ModelShape,
): WeightType {
  const layer = Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? 0);
  const one: Case = { recipe, type, layer, model };
  const isEmbedding = name === "token_embd.weight" || name === "per_layer_token_embd.weight";
  if (name === "output.weight" || (isEmbedding && !model.hasOutput)) {
    return outputType(one, dimensions[0] ?? 0);
  }
  if (isEmbedding) return embeddingType(one);
  const rules = isTiny(recipe) ? tinyRules : usualRules;
  const rule = rules.find(([parts]) => parts.some((part) => name.includes(part)));
  return rule === undefined ? type : rule[1](one);
}

const valueNames = ["attn_v.weight", "attn_qkv.weight", "attn_kv_b.weight"];

const usualRules: readonly (readonly [readonly string[], Rule])[] = [
  [valueNames, valueType],
  [["attn_k.weight"], keyType],
  [["attn_q.weight"], queryType],
  [["attn_output.weight"], attentionOutputType],
  [["ffn_up", "ffn_gate"], gateType],
  [["ffn_down"], downType],
];

/** Of types with less than three bits. */
const tinyRules: readonly (readonly [readonly string[], Rule])[] = [
  [valueNames, tinyValueType],
  [["attn_k.weight"], ({ type, model }) => (model.expertCount === 8 ? "Q4_K" : type)],
  [["attn_output.weight"], tinyAttentionOutputType],
  [["ffn_down"], (one) => (isFirst(one, 8) ? (isSmall(one.recipe) ? "IQ3_S" : "Q2_K") : one.type)],
];

function isTiny(recipe: Recipe): boolean {
  return ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ1_S", "IQ1_M"].includes(recipe);
}

/** The wider of the tiny ones. */
function isSmall(recipe: Recipe): boolean {
  return recipe === "IQ2_S" || recipe === "IQ2_M";
}

function outputType({ recipe, type, model }: Case, row: number): WeightType {
  if (recipe === "Q8_0" || model.architecture === "falcon") return "Q8_0";
  if (row % weightFormat(type).blockElements !== 0) return "Q8_0";
  return isTiny(recipe) || recipe === "IQ3_XXS" ? "Q5_K" : "Q6_K";
}

function embeddingType({ recipe, type }: Case): WeightType {
  if (isSmall(recipe) || recipe === "IQ3_XXS") return "IQ3_S";
  if (isTiny(recipe)) return "Q2_K";
  return recipe === "TQ1_0" || recipe === "TQ2_0" ? "Q4_K" : type;
}

function tinyValueType({ recipe, model }: Case): WeightType {
  if (model.headsPerGroup >= 4 || model.expertCount >= 4) return "Q4_K";
  return isSmall(recipe) ? "IQ3_S" : "Q2_K";
}

function tinyAttentionOutputType({ recipe, type, model }: Case): WeightType {
  if (model.expertCount === 8) return "Q5_K";
  if (recipe === "IQ1_S" || recipe === "IQ1_M") return "IQ2_XXS";
  return isSmall(recipe) ? "IQ3_S" : type;
}

function valueType(one: Case): WeightType {
  const { recipe, type, layer, model } = one;
  if (model.expertCount === 8) return "Q8_0";
  const isShared = model.headsPerGroup >= 4;
  switch (recipe) {
    case "Q2_K":
      return isShared ? "Q4_K" : "Q3_K";
    case "IQ3_XXS":
      if (isShared) return "Q4_K";
      return model.hasImportance ? "IQ3_XXS" : "IQ3_S";
    case "Q2_K_S":
    case "IQ3_XS":
    case "IQ3_S":
      return isShared ? "Q4_K" : type;
    case "IQ3_M":
      return "Q4_K";
    case "Q3_K_M":
      return layer < 2 ? "Q5_K" : "Q4_K";
    case "Q3_K_L":
      return "Q5_K";
    case "IQ4_NL":
    case "IQ4_XS":
      return isShared ? "Q5_K" : type;
    case "Q4_K_M":
    case "Q5_K_M":
      return deservesMoreBits(one) ? "Q6_K" : type;
    case "Q4_K_S":
      return layer < 4 ? "Q5_K" : type;
    default:
      return type;
  }
}

function keyType({ recipe, type, model }: Case): WeightType {
  if (model.expertCount === 8) return "Q8_0";
  return recipe === "IQ3_XS" ? "IQ3_XXS" : recipe === "IQ3_XXS" ? "IQ2_S" : type;
}

function queryType({ recipe, type }: Case): WeightType {
  return recipe === "IQ3_XS" ? "IQ3_XXS" : recipe === "IQ3_XXS" ? "IQ2_S" : type;
}

function gateType(one: Case): WeightType {
  const { recipe, type, layer, model } = one;
  const isInside = !isFirst(one, 8) && layer < Math.floor((7 * model.layerCount) / 8);
  return recipe === "IQ3_XS" && isInside ? "IQ3_XXS" : type;
}

function attentionOutputType({ recipe, type, model }: Case): WeightType {
  if (model.architecture === "falcon") return recipe === "Q3_K_L" ? "Q4_K" : type;
  if (model.expertCount === 8) return eightExperts.includes(recipe) ? "Q5_K" : type;
  switch (recipe) {
    case "Q2_K":
      return "Q3_K";
    case "IQ3_XXS":
      return "IQ3_S";
    case "Q3_K_M":
    case "IQ3_M":
      return "Q4_K";
    case "Q3_K_L":
      return "Q5_K";
    default:
      return type;
  }
}

/** Mixtures in which models of eight experts have wider attention outputs. */
const eightExperts: readonly Recipe[] = [
  ...(["Q2_K", "IQ3_XS", "IQ3_XXS", "Q3_K_S", "Q3_K_M", "IQ4_NL"] as const),
  ...(["Q4_K_S", "Q4_K_M", "IQ3_S", "IQ3_M", "IQ4_XS"] as const),
];

function downType(one: Case): WeightType {
  const { recipe, type, model } = one;
  const isFalcon = model.architecture === "falcon";
  switch (recipe) {
    case "Q2_K":
      return "Q3_K";
    case "Q2_K_S":
      return isFirst(one, 8) ? "Q4_K" : type;
    case "IQ3_XXS":
      return model.hasImportance ? type : isFirst(one, 8) ? "Q4_K" : "Q3_K";
    case "Q3_K_M":
      if (isFirst(one, 16)) return "Q5_K";
      return !isFalcon || deservesMoreBits(one) ? "Q4_K" : "Q3_K";
    case "IQ3_M":
      return isFirst(one, 8) || (model.expertCount === 8 && deservesMoreBits(one)) ? "Q4_K" : type;
    case "Q3_K_L":
      return isFalcon ? "Q4_K" : "Q5_K";
    case "Q4_K_M":
      if (!isFalcon) return deservesMoreBits(one) ? "Q6_K" : type;
      return isFirst(one, 16) ? "Q6_K" : deservesMoreBits(one) ? "Q5_K" : type;
    case "IQ4_NL":
    case "IQ4_XS":
      return isFirst(one, 8) && !model.hasImportance ? "Q5_K" : type;
    case "Q5_K_M":
      return deservesMoreBits(one) ? "Q6_K" : type;
    case "Q4_K_S":
      return !isFalcon && isFirst(one, 8) ? "Q5_K" : type;
    case "Q4_0":
    case "Q5_0":
      // Even with an importance a few columns of the first of these matrices go far astray.
      if (!(model.hasImportance && isFirst(one, 8))) return type;
      return recipe === "Q4_0" ? "Q4_1" : "Q5_1";
    default:
      return type;
  }
}

/** Whether it is of the first part of the layers. */
function isFirst({ layer, model }: Case, parts: number): boolean {
  return layer < Math.floor(model.layerCount / parts);
}

/** The first and last eighth of the layers, and every third between. */
function deservesMoreBits(one: Case): boolean {
  const { layer, model } = one;
  const eighth = Math.floor(model.layerCount / 8);
  const isEdge = layer < eighth || layer >= Math.floor((7 * model.layerCount) / 8);
  return isEdge || (layer - eighth) % 3 === 2;
}
