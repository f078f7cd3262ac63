/**
 * Which type each tensor of a quantised model gets. Matrices take the type asked for; in the mixtures of
 * quantize-mixtures.ts those that a model suffers most from take more bits.
 * Source: llama.cpp, llama_tensor_get_type (src/llama-quant.cpp).
 */
import { tensorType, type WeightType, weightFormat } from "../core/dtype.ts";
import { type Mixture, mixedType, mixtureOf } from "./quantize-mixtures.ts";
import type { TensorInfo } from "./tensor-info.ts";

/** Names as llama-quantize has them: the type of (nearly) all matrices, or of a mixture. */
export type QuantisedType = (typeof quantisedTypeList)[number];

const quantisedTypeList = [
  "F32",
  "F16",
  "BF16",
  "Q8_0",
  "Q6_K",
  "Q5_K_M",
  "Q5_K_S",
  "Q5_K",
  "Q5_1",
  "Q5_0",
  "Q4_K_M",
  "Q4_K_S",
  "Q4_K",
  "Q4_1",
  "Q4_0",
  "Q3_K_L",
  "Q3_K_M",
  "Q3_K_S",
  "Q3_K",
  "Q2_K",
  "Q2_K_S",
  "IQ4_NL",
  "IQ4_XS",
  "IQ3_M",
  "IQ3_S",
  "IQ3_XS",
  "IQ3_XXS",
  "IQ2_M",
  "IQ2_S",
  "IQ2_XS",
  "IQ2_XXS",
  "IQ1_M",
  "IQ1_S",
  "MXFP4",
  "NVFP4",
  "TQ2_0",
  "TQ1_0",
] as const;

export const quantisedTypes: readonly QuantisedType[] = quantisedTypeList;

/** `general.file_type` of a model that was asked for as this type. */
export function fileTypeOf(type: QuantisedType): number {
  return mixtureOf(type).fileType;
}

/**
 * Whether llama-quantize refuses to write matrices of this type without an importance matrix: with one they make a model
 * that one would want.
 */
export function wantsImportance(type: string): boolean {
  return ["IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_M", "IQ1_S"].includes(type);
}

export interface ModelShape {
  readonly architecture: string;
  readonly layerCount: number;
  /** False where the token embedding serves as output matrix too. */
  readonly hasOutput: boolean;
  /** Of a layer; 1 without a mixture of experts. */
  readonly expertCount: number;
  /** Query heads that share keys and values. */
  readonly headsPerGroup: number;
  /** Whether it is known how much the error of each column matters. */
  readonly hasImportance: boolean;
}

export interface TypeChoice {
  readonly type: string;
  /** Why it is not the type asked for. */
  readonly reason?: string;
}

/** What a model is to be written in. */
export interface WantedType {
  readonly type: QuantisedType;
  /** All matrices alike, whatever they do. */
  readonly isPure: boolean;
}

/** The type that this tensor is written in. */
export function chooseType(
  tensor: TensorInfo,
  { type: name, isPure }: WantedType,
  model: ModelShape,
): TypeChoice {
  const kept = keptBecause(tensor);
  if (kept !== undefined) return { type: tensor.type, reason: kept };
  const mixture = mixtureOf(name);
  const preferred = preferredType(
    tensor,
    isPure ? { ...mixture, recipe: undefined } : mixture,
    model,
  );
  const [row = 0] = tensor.dimensions;
  const type = fitting(preferred, row);
  if (type === preferred) return { type };
  const { blockElements } = tensorType(preferred);
  return {
    type,
    reason: `rows of ${row} are no multiple of ${blockElements}, the block of ${preferred}`,
  };
}

/** Parts of names. Small tensors, and tensors whose values steer others, are not worth the error. */
const keptNames: readonly (readonly [string, string])[] = [
  ["_norm.weight", "a norm"],
  ["ffn_gate_inp.weight", "the router of experts"],
  ["ffn_gate_inp_shexp.weight", "the router of experts"],
  ["position_embd.weight", "positions"],
  ["token_types.weight", "types of tokens"],
  ["altup", "small"],
  ["laurel", "small"],
  ["per_layer_model_proj", "small"],
  ["ssm_conv1d", "a convolution"],
  ["shortconv.conv.weight", "a convolution"],
];

function keptBecause({ name, dimensions }: TensorInfo): string | undefined {
  // llama.cpp does not count dimensions of 1 behind the last larger one.
  if (dimensions.slice(1).every((length) => length === 1)) return "one dimension";
  if (!name.endsWith("weight")) return "not a weight";
  return keptNames.find(([part]) => name.includes(part))?.[1];
}

function preferredType(tensor: TensorInfo, mixture: Mixture, model: ModelShape): WeightType {
  const { type, recipe } = mixture;
  if (recipe === undefined || weightFormat(type).codes === "float") return type;
  return mixedType(tensor, { ...mixture, recipe }, model);
}

/** The next wider type with shorter blocks; F16 where none stands. */
const widerTypes: Readonly<Partial<Record<WeightType, WeightType>>> = {
  Q4_K: "Q5_0",
  Q5_K: "Q5_1",
  Q6_K: "Q8_0",
  Q2_K: "Q4_0",
  Q3_K: "Q4_0",
  IQ4_XS: "IQ4_NL",
  IQ3_XXS: "IQ4_NL",
  IQ3_S: "IQ4_NL",
  IQ2_XXS: "IQ4_NL",
  IQ2_XS: "IQ4_NL",
  IQ2_S: "IQ4_NL",
  IQ1_M: "IQ4_NL",
  IQ1_S: "IQ4_NL",
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
