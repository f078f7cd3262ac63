/**
 * The numbers that shape a model, read from its metadata and judged once: every value has bounds, and an error
 * names the key, the value found and what was expected. Keys: GGUF specification, as llama.cpp reads them.
 */
import { counted } from "../core/counted.ts";
import { FileFormatError, UnsupportedError } from "../core/errors.ts";
import type { GgufFile } from "../gguf/open.ts";
import type { DeltaNetShape } from "./delta-net.ts";
import { type MixtureShape, type MixtureTraits, readMixture } from "./mixture.ts";
import { noScales, type Scales } from "./scales.ts";

/** How positions beyond the trained context are folded back; llama3's factors are a tensor, `rope_freqs.weight`. */
export type RopeScaling =
  | { readonly kind: "none" }
  | { readonly kind: "linear"; readonly factor: number }
  /** Linear, with tensors of factors for shorter and for longer contexts. */
  | { readonly kind: "longrope"; readonly factor: number }
  | {
      readonly kind: "yarn";
      readonly factor: number;
      readonly originalContext: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      /** Lessens what YaRN multiplies cos and sin by (mscale_all_dim); absent: it does not. */
      readonly logMultiplier?: number;
    };

export interface RopeParameters {
  /** Elements of a head that are rotated: the first ones, an even number; 0: none. */
  readonly dims: number;
  readonly base: number;
  /** Multiplies cos and sin, whatever the scaling; YaRN has a factor of its own besides. */
  readonly attentionFactor: number;
  readonly scaling: RopeScaling;
  /** The context before scaling: beyond it, longrope has other factors. */
  readonly originalContext: number;
  /** Factors by which the file divides frequencies are of other layers (gemma4). */
  readonly ignoresFactors?: true;
}

/** The heads of one layer's attention. */
export interface AttentionShape {
  readonly heads: number;
  /** A divisor of `heads`. */
  readonly kvHeads: number;
  /** Elements of a head's query and key. */
  readonly keyWidth: number;
  /** Elements of a head's value. */
  readonly valueWidth: number;
  /** Multiplies q·k. */
  readonly scale: number;
  /** Positions that a token sees, itself included; absent: all before it. See windows.ts. */
  readonly window?: number;
  /** Caps q·k·scale softly; absent: nothing does. */
  readonly softCap?: number;
  /** The earlier layer whose keys and values it reads; absent: its own. See shared-cache.ts. */
  readonly cacheOf?: number;
}

export interface Hyperparameters {
  readonly dim: number;
  readonly layers: number;
  /** Of each layer; one with a delta net has no attention. */
  readonly attention: readonly AttentionShape[];
  /** By layer; undefined where a layer has attention. Absent: all of them. */
  readonly deltaNets?: readonly (DeltaNetShape | undefined)[];
  /** Layers of the file behind those of the model, which propose further tokens. They are not computed. */
  readonly proposingLayers?: number;
  /** Neurons of each layer. */
  readonly neurons: readonly number[];
  /** What the model was trained for; at most `slidingWindow`. */
  readonly contextLength: number;
  /** A window that the file states and the architecture knows nothing of: within it, every token sees all before it. */
  readonly slidingWindow?: number;
  /** A window that the file states and that is not computed, as llama.cpp does not. */
  readonly ignoredWindow?: number;
  readonly normEpsilon: number;
  readonly rope: RopeParameters;
  /** Of layers with a window, where they rotate otherwise. */
  readonly windowRope?: RopeParameters;
  /** Experts in place of the blocks of layers; absent: there are none. */
  readonly mixture?: MixtureShape;
  readonly scales: Scales;
  /** Elements of the embedding that each layer has of a token, beside the residual; absent: none. See layer-inputs.ts. */
  readonly layerInputWidth?: number;
}

export interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
}

const count = (max: number, min = 1): Bounds => ({ min, max, integer: true });
const real = (min: number, max: number): Bounds => ({ min, max, integer: false });

/** Of a factor that multiplies rows: far from where f32 ends. 0: as if the key were not there. */
export const factorBounds: Bounds = real(0, 1e6);

const flag: Bounds = count(1, 0);

type BoundedKey =
  | "layers"
  | "dim"
  | "heads"
  | "headDim"
  | "neurons"
  | "contextLength"
  | "epsilon"
  | "ropeBase"
  | "scalingFactor"
  | "attentionFactor"
  | "beta"
  | "attentionScale"
  | "softCap"
  | "windowPeriod";

/** Several times the largest published models (126 layers, dim 18 432, 14 336 × 4 neurons, 10 M context). */
export const bounds: Readonly<Record<BoundedKey, Bounds>> = {
  layers: count(1024),
  dim: count(1 << 17),
  heads: count(4096),
  headDim: count(4096),
  neurons: count(1 << 22),
  /** 0: the file does not say. */
  contextLength: count(1 << 27, 0),
  /** Below 1e-12 an all-zero row divides by nearly nothing; above 0.1 the result is far from normalised. */
  epsilon: real(1e-12, 0.1),
  ropeBase: real(1, 1e12),
  scalingFactor: real(1e-3, 1e4),
  attentionFactor: real(-1e4, 1e4),
  beta: real(1e-3, 1e4),
  attentionScale: real(1e-6, 1e3),
  /** Published: 50. */
  softCap: real(1e-3, 1e6),
  /** 0: all layers have a window; 1: none has. */
  windowPeriod: count(1024, 0),
};

/** Where the file states 0: what hearth opens unless it is asked for more. */
const unstatedContext = 4096;

/** @throws FileFormatError for a value that makes no sense, UnsupportedError for a feature that hearth lacks. */
export function readHyperparameters(
  keys: KeyReader,
  traits: {
    readonly norm: "rms" | "layer";
    readonly mixture?: MixtureTraits;
    readonly numbers?: (shape: Hyperparameters, keys: KeyReader) => Hyperparameters;
  },
): Hyperparameters {
  const layers = keys.number("block_count", bounds.layers);
  const mixture = traits.mixture && readMixture(keys, { layers, traits: traits.mixture });
  if (mixture === undefined) refuseExperts(keys);
  const dim = keys.number("embedding_length", bounds.dim);
  const attention = readAttention(keys, { dim, layers });
  const trained = trainedContext(keys);
  const slidingWindow = keys.optional("attention.sliding_window", bounds.contextLength) || trained;
  const epsilonKey = traits.norm === "rms" ? "layer_norm_rms_epsilon" : "layer_norm_epsilon";
  const shape: Hyperparameters = {
    dim,
    layers,
    attention,
    neurons: readNeurons(keys, layers, mixture),
    contextLength: Math.min(trained, slidingWindow),
    ...(slidingWindow < trained && { slidingWindow }),
    normEpsilon: keys.number(`attention.${epsilonKey}`, bounds.epsilon),
    rope: readRope(keys, { headDim: headsOf(attention).keyWidth, contextLength: trained }),
    scales: noScales,
    ...(mixture && { mixture }),
  };
  return traits.numbers === undefined ? shape : traits.numbers(shape, keys);
}

/** Of the blocks. Files in which all layers have experts may say nothing of blocks. */
function readNeurons(
  keys: KeyReader,
  layers: number,
  mixture: MixtureShape | undefined,
): readonly number[] {
  const key = "feed_forward_length";
  if (mixture !== undefined && !keys.has(key)) return new Array<number>(layers).fill(0);
  const { min, ...own } = bounds.neurons;
  return keys.perLayer(key, { bounds: { ...own, min: mixture ? 0 : min }, layers });
}

export function trainedContext(keys: KeyReader): number {
  return keys.number("context_length", bounds.contextLength) || unstatedContext;
}

function refuseExperts(keys: KeyReader): void {
  const experts = keys.optional("expert_count", count(1 << 16, 0)) ?? 0;
  if (experts > 0) {
    throw new UnsupportedError(
      `a mixture of ${experts} experts (${keys.name("expert_count")})`,
      ["dense feed-forward blocks"],
      "Use a model without experts",
    );
  }
}

/** Without a length of a key, heads share the width of the residual: then all layers have heads of the first one's. */
function readAttention(
  keys: KeyReader,
  model: { readonly dim: number; readonly layers: number },
): readonly AttentionShape[] {
  const { dim, layers } = model;
  const heads = keys.perLayer("attention.head_count", { bounds: bounds.heads, layers });
  const kvHeads = keys.has("attention.head_count_kv")
    ? keys.perLayer("attention.head_count_kv", { bounds: bounds.heads, layers })
    : heads;
  const keyLength = keys.optional("attention.key_length", bounds.headDim);
  const valueLength = keys.optional("attention.value_length", bounds.headDim);
  const [first = 1] = heads;
  if (dim % first !== 0 && (keyLength === undefined || valueLength === undefined)) {
    keys.fail("attention.head_count", first, `a divisor of the embedding length ${dim}`);
  }
  const keyWidth = keyLength ?? dim / first;
  const valueWidth = valueLength ?? dim / first;
  const scale =
    keys.optional("attention.scale", real(0, bounds.attentionScale.max)) || 1 / Math.sqrt(keyWidth);
  return heads.map((count, layer) => {
    const kv = kvHeads[layer] ?? count;
    if (count % kv !== 0) {
      keys.fail("attention.head_count_kv", kv, `a divisor of the ${count} heads`);
    }
    return { heads: count, kvHeads: kv, keyWidth, valueWidth, scale };
  });
}

/** Of a layer; of the first by default. */
export function headsOf(attention: readonly AttentionShape[], layer = 0): AttentionShape {
  const shape = attention[layer];
  if (shape === undefined) throw new RangeError(`no layer ${layer} of ${attention.length}`);
  return shape;
}

function readRope(
  keys: KeyReader,
  model: { readonly headDim: number; readonly contextLength: number },
): RopeParameters {
  const dims = keys.optional("rope.dimension_count", bounds.headDim) ?? model.headDim;
  if (dims % 2 !== 0 || dims > model.headDim) {
    keys.fail("rope.dimension_count", dims, `an even number up to the head's ${model.headDim}`);
  }
  return {
    dims,
    base: keys.optional("rope.freq_base", bounds.ropeBase) ?? 10000,
    attentionFactor: keys.optional("rope.scaling.attn_factor", bounds.attentionFactor) ?? 1,
    scaling: readScaling(keys, model.contextLength),
    originalContext: originalContext(keys, model.contextLength),
  };
}

function originalContext(keys: KeyReader, contextLength: number): number {
  const key = "rope.scaling.original_context_length";
  return keys.optional(key, bounds.contextLength) || contextLength;
}

/** A factor without a type is linear, and 0 means none: llama.cpp's rules. */
function readScaling(keys: KeyReader, contextLength: number): RopeScaling {
  const zeroOr = real(0, bounds.scalingFactor.max);
  const type = keys.optionalString("rope.scaling.type") ?? "linear";
  const factor =
    keys.optional("rope.scaling.factor", zeroOr) || keys.optional("rope.scale_linear", zeroOr) || 1;
  if (factor < bounds.scalingFactor.min) {
    keys.fail("rope.scaling.factor", factor, `at least ${bounds.scalingFactor.min}`);
  }
  switch (type) {
    case "none":
      return { kind: "none" };
    case "longrope":
      return { kind: "longrope", factor };
    case "linear":
      return factor === 1 ? { kind: "none" } : { kind: "linear", factor };
    case "yarn":
      return {
        kind: "yarn",
        factor,
        originalContext: originalContext(keys, contextLength),
        betaFast: keys.optional("rope.scaling.yarn_beta_fast", bounds.beta) ?? 32,
        betaSlow: keys.optional("rope.scaling.yarn_beta_slow", bounds.beta) ?? 1,
      };
    default:
      throw new UnsupportedError(`RoPE scaling "${type}" (${keys.name("rope.scaling.type")})`, [
        "none",
        "linear",
        "yarn",
        "longrope (tensors rope_factors_short.weight and rope_factors_long.weight)",
        "llama3 (tensor rope_freqs.weight)",
      ]);
  }
}

/** Reads `<architecture>.<key>` within bounds. */
export class KeyReader {
  /** The keys that were asked for, without the architecture's name. */
  readonly asked: Set<string> = new Set();
  readonly #gguf: GgufFile;
  readonly #prefix: string;

  constructor(gguf: GgufFile) {
    this.#gguf = gguf;
    this.#prefix = gguf.metadata.string("general.architecture");
  }

  name(key: string): string {
    return `${this.#prefix}.${key}`;
  }

  has(key: string): boolean {
    return this.#gguf.metadata.has(this.name(key));
  }

  number(key: string, bounds: Bounds): number {
    this.asked.add(key);
    return this.#judge(key, this.#gguf.metadata.number(this.name(key)), bounds);
  }

  optional(key: string, bounds: Bounds): number | undefined {
    this.asked.add(key);
    const value = this.#gguf.metadata.optionalNumber(this.name(key));
    return value === undefined ? undefined : this.#judge(key, value, bounds);
  }

  /** A factor; `otherwise` where the key is missing or 0. */
  factor(key: string, otherwise = 1): number {
    return this.optional(key, factorBounds) || otherwise;
  }

  optionalBoolean(key: string): boolean | undefined {
    this.asked.add(key);
    return this.#gguf.metadata.optionalBoolean(this.name(key));
  }

  optionalString(key: string): string | undefined {
    return this.#gguf.metadata.optionalString(this.name(key));
  }

  /** An array of any length. */
  list(key: string, bounds: Bounds): readonly number[] {
    this.asked.add(key);
    const values = Array.from(this.#gguf.metadata.numbers(this.name(key)));
    return values.map((value) => this.#judge(key, value, bounds));
  }

  /** A number for all layers, or an array with one for each. */
  perLayer(key: string, model: { readonly bounds: Bounds; readonly layers: number }): number[] {
    if (this.#gguf.metadata.kindOf(this.name(key)) !== "numbers") {
      return new Array<number>(model.layers).fill(this.number(key, model.bounds));
    }
    const values = Array.from(this.#gguf.metadata.numbers(this.name(key)));
    this.#requireOneEach(key, values.length, model.layers);
    return values.map((value) => this.#judge(key, value, model.bounds));
  }

  /** A number, or one flag for each layer (an array of booleans or numbers). */
  numberOrFlags(
    key: string,
    model: { readonly bounds: Bounds; readonly layers: number },
  ): number | readonly boolean[] | undefined {
    const kind = this.#gguf.metadata.kindOf(this.name(key));
    if (kind !== "numbers" && kind !== "booleans") return this.optional(key, model.bounds);
    const values =
      kind === "booleans"
        ? this.#gguf.metadata.booleans(this.name(key))
        : this.#gguf.metadata.numbers(this.name(key));
    this.asked.add(key);
    this.#requireOneEach(key, values.length, model.layers);
    return Array.from(values, (value) => this.#judge(key, Number(value), flag) === 1);
  }

  #requireOneEach(key: string, found: number, layers: number): void {
    if (found === layers) return;
    this.fail(key, counted(found, "value"), `one for each of the ${counted(layers, "layer")}`);
  }

  fail(key: string, found: number | string, expected: string): never {
    const offset = this.#gguf.metadata.offsetOf(this.name(key));
    throw new FileFormatError({
      file: this.#gguf.path,
      where: `metadata key ${this.name(key)}`,
      found: String(found),
      expected,
      ...(offset !== undefined && { offset }),
    });
  }

  #judge(key: string, value: number, { min, max, integer }: Bounds): number {
    if (value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
    return this.fail(key, value, `${integer ? "an integer" : "a number"} from ${min} to ${max}`);
  }
}
