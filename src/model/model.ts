/**
 * A model as it stands in its file: which architecture, which numbers, where its weights lie. Opening checks
 * everything that can be checked without reading weights, and the values of routers, which are few; what is merely odd
 * becomes a notice.
 */
import { counted } from "../core/counted.ts";
import { FileFormatError, UnsupportedError } from "../core/errors.ts";
import type { GgufFile } from "../gguf/open.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import type { Activation, Weight } from "../ops/op.ts";
import type { Architecture } from "./architecture.ts";
import { type Hyperparameters, KeyReader, readHyperparameters } from "./hyperparameters.ts";
import { LayerFinder } from "./layer-finder.ts";
import { findLayerInputs, type LayerInputsWeights } from "./layer-inputs.ts";
import { architectureOf } from "./registry.ts";
import type { RopeFactors } from "./rope-frequencies.ts";
import { refuseAdapters, refuseKeys } from "./unsupported-keys.ts";
import { blockOf, type LayerWeights, type Norm, WeightFinder } from "./weights.ts";

export type Pooling = "mean" | "last";

export interface Model {
  readonly gguf: GgufFile;
  readonly architecture: Architecture;
  readonly hyperparameters: Hyperparameters;
  readonly vocabulary: number;
  readonly activation: Activation;
  readonly ropeFactors: RopeFactors;
  readonly embedding: Weight; // [vocabulary, dim]
  readonly positions?: Weight; // [contextLength + offset or more, dim]
  readonly layerInputs?: LayerInputsWeights;
  readonly layers: readonly LayerWeights[];
  readonly outputNorm: Norm;
  readonly output: Weight; // [vocabulary, dim]
  readonly outputBias?: Weight; // [1, vocabulary]
  /** The output matrix is the embedding. */
  readonly tied: boolean;
  /** How embeddings are made of rows, where the file says it: their mean, or the last one. */
  readonly pooling: Pooling | undefined;
  /** Logit from which PowerInfer's predictors call a neuron active. */
  readonly sparseThreshold: number;
  /** What a user should know: a context cut to a window, rows without a token. One sentence each. */
  readonly notices: readonly string[];
}

/** @throws UnsupportedError for an architecture, type or feature that hearth lacks; FileFormatError for a wrong file. */
export function openModel(gguf: GgufFile): Model {
  refuseAdapters(gguf);
  const architecture = architectureOf(gguf.metadata.string("general.architecture"));
  const keys = new KeyReader(gguf);
  const shape = readHyperparameters(keys, architecture);
  refuseKeys(gguf, architecture, keys.asked);
  const activation = activationOf(gguf, architecture);
  const finder = new WeightFinder(gguf);
  const embedding = finder.matrix("token_embd.weight", { columns: shape.dim });
  const positions = findPositions(finder, { architecture, shape });
  const { dim: width, normEpsilon: epsilon } = shape;
  const { norm: form, hasNormBiases: hasBias } = architecture;
  const { outputNormBias: bias = "required" } = architecture;
  const outputNorm = finder.norm("output_norm", { form, width, epsilon, bias, hasBias });
  const tied = architecture.output === "own or tied" && !finder.has("output.weight");
  const output = tied
    ? embedding
    : finder.matrix("output.weight", { rows: embedding.rows, columns: width });
  const outputBias = finder.has("output.bias")
    ? finder.vector("output.bias", embedding.rows)
    : undefined;
  const vocabulary = embedding.rows;
  const layerInputs = findLayerInputs(finder, { shape, norm: form, vocabulary });
  const layers = findLayers(finder, { gguf, architecture, shape, activation });
  const ropeFactors = findRopeFactors(finder, { architecture, shape });
  for (let i = 0; i < (shape.proposingLayers ?? 0); i++) finder.ignore(`blk.${shape.layers + i}.`);
  finder.refuseUnused(architecture.name);
  const hyperparameters = withPositionLimit(shape, { architecture, positions });
  return {
    gguf,
    architecture,
    hyperparameters,
    vocabulary,
    activation,
    ropeFactors,
    embedding,
    ...(positions && { positions }),
    ...(layerInputs && { layerInputs }),
    layers,
    outputNorm,
    output,
    ...(outputBias && { outputBias }),
    tied,
    pooling: poolingOf(keys.optional("pooling_type", { min: -1, max: 4, integer: true })),
    sparseThreshold: finiteNumber(gguf, "powerinfer.sparse_threshold") ?? 0,
    notices: findNotices({ gguf, shape: hyperparameters, vocabulary }),
  };
}

/** By llama.cpp's numbers; others are refused by refuseKeys. */
function poolingOf(type: number | undefined): Pooling | undefined {
  if (type === 1) return "mean";
  return type === 3 ? "last" : undefined;
}

/**
 * `hearth.activation` (relu, relu2, silu, gelu, gelu-tanh; fatrelu with `hearth.activation_threshold`) wins, then
 * PowerInfer's magic, which means ReLU whatever the architecture, then another that the architecture's files may state.
 */
function activationOf(gguf: GgufFile, architecture: Architecture): Activation {
  const name = gguf.metadata.optionalString("hearth.activation");
  switch (name) {
    case undefined:
      return gguf.magic === "PWRI" ? { kind: "relu" } : ofArchitecture(gguf, architecture);
    case "relu":
    case "relu2":
    case "silu":
    case "gelu":
    case "gelu-tanh":
      return { kind: name };
    case "fatrelu":
      return {
        kind: name,
        threshold: finiteNumber(gguf, thresholdKey) ?? gguf.metadata.number(thresholdKey),
      };
    default:
      throw new UnsupportedError(`activation "${name}" (hearth.activation)`, [
        "relu",
        "relu2",
        "silu",
        "gelu",
        "gelu-tanh",
        "fatrelu",
      ]);
  }
}

function ofArchitecture(
  { metadata }: GgufFile,
  { name, activation, otherActivation }: Architecture,
): Activation {
  const stated = metadata.optionalString(`${name}.hidden_activation`);
  const isOther = otherActivation !== undefined && stated === otherActivation.kind;
  return isOther ? otherActivation : activation;
}

const thresholdKey = "hearth.activation_threshold";

function finiteNumber({ metadata, path: file }: GgufFile, key: string): number | undefined {
  const value = metadata.optionalNumber(key);
  if (value === undefined || Number.isFinite(value)) return value;
  const where = `metadata key ${key}`;
  throw new FileFormatError({ file, where, found: String(value), expected: "a finite number" });
}

function findLayers(
  finder: WeightFinder,
  source: {
    readonly gguf: GgufFile;
    readonly architecture: Architecture;
    readonly shape: Hyperparameters;
    readonly activation: Activation;
  },
): readonly LayerWeights[] {
  const { gguf, architecture, shape, activation } = source;
  const { norm, hasNormBiases, gating, mixture } = architecture;
  const traits = { norm, hasNormBiases, gating, activation, mixture };
  return Array.from({ length: shape.layers }, (_, layer) => {
    const weights = architecture.layerWeights(new LayerFinder(layer, { finder, shape, traits }));
    if (gguf.magic === "PWRI" && blockOf(weights)?.predictor === undefined) {
      finder.fail(`blk.${layer}.fc1.weight`, "nothing", "a predictor, as the magic PWRI promises");
    }
    return weights;
  });
}

function findPositions(
  finder: WeightFinder,
  model: { readonly architecture: Architecture; readonly shape: Hyperparameters },
): Weight | undefined {
  const { positions } = model.architecture;
  if (positions.kind !== "learned") return undefined;
  const name = "position_embd.weight";
  const table = finder.matrix(name, { columns: model.shape.dim });
  if (table.rows <= positions.offset) {
    finder.fail(
      name,
      counted(table.rows, "row"),
      `more than the ${positions.offset} before position 0`,
    );
  }
  return table;
}

/** A table of learned positions bounds the context: OPT's files claim 2050 for 2048 positions. */
function withPositionLimit(
  shape: Hyperparameters,
  model: { readonly architecture: Architecture; readonly positions: Weight | undefined },
): Hyperparameters {
  const { positions } = model.architecture;
  if (positions.kind !== "learned" || model.positions === undefined) return shape;
  const available = model.positions.rows - positions.offset;
  return { ...shape, contextLength: Math.min(shape.contextLength, available) };
}

/** rope_freqs wins over the two lists of longrope, as in llama.cpp. */
function findRopeFactors(
  finder: WeightFinder,
  model: { readonly architecture: Architecture; readonly shape: Hyperparameters },
): RopeFactors {
  const { positions } = model.architecture;
  if (positions.kind !== "rope") return {};
  const { scaling } = model.shape.rope;
  const find = (name: string): Float32Array | undefined => {
    if (!finder.has(`${name}.weight`)) return undefined;
    return readFactors(finder, finder.vector(`${name}.weight`, model.shape.rope.dims / 2));
  };
  const always = find("rope_freqs");
  if (always) return { short: always, long: always };
  if (positions.hasLongFactors !== true && scaling.kind !== "longrope") return {};
  const short = find("rope_factors_short");
  const long = find("rope_factors_long");
  return { ...(short && { short }), ...(long && { long }) };
}

function readFactors(finder: WeightFinder, weight: Weight): Float32Array {
  const { bytes, name, type } = weight;
  if (type !== "F32" || bytes.kind !== "file") return finder.fail(name, type, "F32");
  const data = readTensorBytes(bytes);
  const factors = new Float32Array(data.buffer);
  const wrong = factors.find((factor) => !(factor > 0 && factor < Number.POSITIVE_INFINITY));
  if (wrong !== undefined) finder.fail(name, String(wrong), "positive numbers");
  return factors;
}

function findNotices(model: {
  readonly gguf: GgufFile;
  readonly shape: Hyperparameters;
  readonly vocabulary: number;
}): readonly string[] {
  const { gguf, shape, vocabulary } = model;
  const notices: string[] = [];
  const { slidingWindow, ignoredWindow, contextLength } = shape;
  if (ignoredWindow !== undefined) {
    notices.push(
      `The file states a sliding window of ${ignoredWindow} tokens. It is ignored, as by llama.cpp: every token sees all before it.`,
    );
  }
  if (shape.proposingLayers !== undefined) {
    notices.push(
      `The file has ${counted(shape.proposingLayers, "layer")} behind the last one, to propose further tokens (nextn): not used.`,
    );
  }
  if (slidingWindow !== undefined) {
    notices.push(
      `The context is at most the model's sliding window of ${slidingWindow} tokens: this architecture is not known to have one.`,
    );
  }
  const contextKey = `${gguf.metadata.string("general.architecture")}.context_length`;
  if (gguf.metadata.number(contextKey) === 0) {
    notices.push(
      `The file does not say for how long a context the model was trained (${contextKey} is 0): ${counted(contextLength, "token")} are assumed.`,
    );
  }
  const tokens = tokenCount(gguf);
  if (tokens !== undefined && tokens > vocabulary) {
    throw new FileFormatError({
      file: gguf.path,
      where: "tensor token_embd.weight",
      found: counted(vocabulary, "row"),
      expected: `one for each of the ${counted(tokens, "token")}`,
    });
  }
  if (tokens !== undefined && tokens < vocabulary) {
    notices.push(
      `The embedding has ${counted(vocabulary, "row")} for ${counted(tokens, "token")}.`,
    );
  }
  return notices;
}

function tokenCount(gguf: GgufFile): number | undefined {
  for (const [key, value] of gguf.metadata.entries()) {
    if (key === "tokenizer.ggml.tokens" && value.kind === "strings") return value.values.length;
  }
  return undefined;
}
