/**
 * Which type each tensor of a quantised model gets. Matrices take the type asked for; what a model suffers most from
 * takes more bits: the output matrix, and in Q4_K_M the value and down projections of half of the layers.
 * Source: llama.cpp, llama_tensor_get_type (src/llama-quant.cpp), without its importance matrix and size classes.
 */
import { tensorType, type WeightType, weightFormat } from "../core/dtype.ts";
import type { TensorInfo } from "./tensor-info.ts";

/** `Q4_K_M` is a mix, the others name the type of (nearly) all matrices. */
export type QuantisedType = (typeof quantisedTypeList)[number];

/** IQ2 and IQ1 are missing: without an importance matrix they make no model that one would want. */
const quantisedTypeList = [
  "F32",
  "F16",
  "BF16",
  "Q8_0",
  "Q4_0",
  "Q4_K_M",
  "Q3_K",
  "Q2_K",
  "IQ4_NL",
  "IQ4_XS",
  "IQ3_S",
  "IQ3_XXS",
  "MXFP4",
  "NVFP4",
  "TQ2_0",
  "TQ1_0",
] as const;

export const quantisedTypes: readonly QuantisedType[] = quantisedTypeList;

/** `general.file_type`. Source of the mix: llama.h, llama_ftype. */
export function fileTypeOf(type: QuantisedType): number {
  return type === "Q4_K_M" ? 15 : weightFormat(type).fileType;
}

export interface ModelShape {
  readonly architecture: string;
  readonly layerCount: number;
  /** False where the token embedding serves as output matrix too. */
  readonly hasOutput: boolean;
}

export interface TypeChoice {
  readonly type: string;
  /** Why it is not the type asked for. */
  readonly reason?: string;
}

/** The type that this tensor is written in. */
export function chooseType(
  tensor: TensorInfo,
  wanted: QuantisedType,
  model: ModelShape,
): TypeChoice {
  const kept = keptBecause(tensor);
  if (kept !== undefined) return { type: tensor.type, reason: kept };
  const preferred = preferredType(tensor.name, wanted, model);
  const [row = 0] = tensor.dimensions;
  const type = fitting(preferred, row);
  if (type === preferred) return { type };
  const { blockElements } = tensorType(preferred);
  return {
    type,
    reason: `rows of ${row} are no multiple of ${blockElements}, the block of ${preferred}`,
  };
}

/** Small tensors, and tensors whose values steer others, are not worth the error. */
function keptBecause({ name, dimensions }: TensorInfo): string | undefined {
  if (dimensions.length < 2) return "one dimension";
  if (!name.endsWith("weight")) return "not a weight";
  if (name.endsWith("_norm.weight")) return "a norm";
  if (name === "position_embd.weight") return "positions";
  if (name.endsWith("ffn_gate_inp.weight")) return "the router of experts";
  return undefined;
}

function preferredType(name: string, wanted: QuantisedType, model: ModelShape): WeightType {
  if (wanted !== "Q4_K_M" && (weightFormat(wanted).codes === "float" || wanted === "Q8_0")) {
    return wanted;
  }
  if (name === "output.weight" || (name === "token_embd.weight" && !model.hasOutput)) {
    return model.architecture === "falcon" ? "Q8_0" : "Q6_K";
  }
  return wanted === "Q4_K_M" ? mixedType(name, model) : wanted;
}

function mixedType(name: string, { architecture, layerCount }: ModelShape): WeightType {
  const [, number, part] = /^blk\.(\d+)\.(.*)\.weight$/.exec(name) ?? [];
  const layer = Number(number ?? 0);
  // A fused attn_qkv holds the values too.
  if (part === "attn_v" || part === "attn_qkv")
    return deservesMoreBits(layer, layerCount) ? "Q6_K" : "Q4_K";
  if (part !== "ffn_down" && part !== "ffn_down_t") return "Q4_K";
  if (architecture !== "falcon") return deservesMoreBits(layer, layerCount) ? "Q6_K" : "Q4_K";
  if (layer < Math.floor(layerCount / 16)) return "Q6_K";
  return deservesMoreBits(layer, layerCount) ? "Q5_K" : "Q4_K";
}

/** The first and last eighth of the layers, and every third between. */
function deservesMoreBits(layer: number, layerCount: number): boolean {
  const eighth = Math.floor(layerCount / 8);
  const isEdge = layer < eighth || layer >= Math.floor((7 * layerCount) / 8);
  return isEdge || (layer - eighth) % 3 === 2;
}

/** The next wider type with shorter blocks; F16 where none stands. */
const widerTypes: Readonly<Partial<Record<WeightType, WeightType>>> = {
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
  Q2_K: "IQ4_NL",
  Q3_K: "IQ4_NL",
  IQ4_XS: "IQ4_NL",
  IQ3_XXS: "IQ4_NL",
  IQ3_S: "IQ4_NL",
  NVFP4: "MXFP4",
  TQ1_0: "Q4_0",
  TQ2_0: "Q4_0",
};

/** The type itself, or the nearest wider one whose block fits the row; F16 fits always. */
function fitting(type: WeightType, row: number): WeightType {
  if (row % tensorType(type).blockElements === 0) return type;
  const wider = widerTypes[type];
  return wider === undefined ? "F16" : fitting(wider, row);
}
