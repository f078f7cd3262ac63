/**
 * What the files of a published architecture hold, as data: keys, tensors of the whole model, tensors of a layer. The
 * values are arranged so that each feature counts: matrices keep variances near 1, norms and biases differ from 1 and 0.
 */
import type { MetadataValue } from "../../src/gguf/value.ts";
import type { FeatureName, Features } from "./features.ts";

export interface Recipe {
  /** As `--arch` has it. */
  readonly name: string;
  /** `general.architecture`, where the recipe has another name. */
  readonly architecture?: string;
  /** Every option of its own that it has, with the value that a synthetic model gets. */
  readonly features: Features;
  /** `tokenizer.ggml.model`; absent: llama. */
  readonly tokenizer?: "llama" | "gemma4";
  /** No file of it has an output.weight. */
  readonly alwaysTied?: true;
  /** Keys without the architecture's prefix; those without a value are left out. */
  readonly keys: (model: RecipeModel) => Readonly<Record<string, MetadataValue | undefined>>;
  readonly first: (model: RecipeModel) => readonly MadeTensor[];
  /** Names without "blk.N.". */
  readonly layer: (model: RecipeModel, layer: number) => readonly MadeTensor[];
  readonly last: (model: RecipeModel) => readonly MadeTensor[];
}

/** A model's shape, and the scale of its residual. */
export interface RecipeModel {
  readonly dim: number;
  readonly layers: number;
  readonly ffn: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabulary: number;
  readonly context: number;
  readonly feature: (name: FeatureName) => number | undefined;
  /**
   * What the architecture's synthetic models have unless told otherwise. Weights go by it: a feature that is switched
   * off is then missed.
   */
  readonly stock: (name: FeatureName) => number;
}

export interface MadeTensor {
  readonly name: string;
  /** As in the file: the contiguous one first. */
  readonly dimensions: readonly number[];
  /** Entries are N(mean, sigma²). */
  readonly mean: number;
  readonly sigma: number;
  /** What all entries are where the tensor is to have no effect. */
  readonly neutral: number;
  /** Absent: the model's type. */
  readonly type?: "F32";
  /** A matrix for each expert, of a type that an option may choose. */
  readonly isOfExperts?: true;
  /** What the first `constantColumns` entries of a row are, in place of random ones. */
  readonly constant?: (row: number) => number;
  /** Of a vector or matrix of F32: the entries of a row behind so many are 0. */
  readonly readColumns?: number;
  /** So many first rows of it, or of each expert's matrix, are 0. */
  readonly silentRows?: number;
}

/** Standard deviation of logits: of 512 tokens, few then have most of the probability. */
export const logitSpread = 2;
/** Channels of the residual that hold the same for every token, where a router is to prefer some experts. */
export function constantColumns(dim: number): number {
  return dim / 8;
}

/**
 * Channels of the residual that no layer of a mixture of experts adds to, the constant ones first: its routers read these
 * alone. So which experts a token is routed to is decided, as trained routers decide it, and not by what a program rounds.
 */
export function routedColumns(dim: number): number {
  return Math.floor(dim / 4);
}

/** How far the entries of a norm lie from their mean: 40 % of it, so that a norm without weights differs. */
const normSpread = 0.4;

/** W [rows, columns]: a row's product with entries of variance 1 has the deviation `gain`. */
export function matrix(name: string, rows: number, columns: number, gain = 1): MadeTensor {
  const sigma = gain / Math.sqrt(columns);
  return { name: `${name}.weight`, dimensions: [columns, rows], mean: 0, sigma, neutral: 0 };
}

export function norm(name: string, length: number, mean = 1): MadeTensor {
  const sigma = normSpread * mean;
  return vector(`${name}.weight`, length, { mean, sigma, neutral: mean });
}

export function bias(name: string, length: number, sigma = 0.3): MadeTensor {
  return vector(`${name}.bias`, length, { mean: 0, sigma, neutral: 0 });
}

export function vector(
  name: string,
  length: number,
  values: { readonly mean: number; readonly sigma: number; readonly neutral: number },
): MadeTensor {
  return { name, dimensions: [length], ...values, type: "F32" };
}
