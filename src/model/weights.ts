/**
 * Finds a model's tensors by name and checks type and shape before anything is loaded: a Weight says where the bytes
 * lie, it holds none. A tensor that was never asked for is refused in the end.
 */
import { isWeightType, tensorType, weightTypes } from "../core/dtype.ts";
import { FileFormatError, UnsupportedError } from "../core/errors.ts";
import type { GgufFile } from "../gguf/open.ts";
import type { Activation, DownProjection, Gating, Weight } from "../ops/op.ts";
import { rowRange } from "../ops/row-range.ts";
import type { DeltaNetWeights } from "./delta-net.ts";
import type { LayerInputWeights } from "./layer-inputs.ts";
import type { MixtureWeights } from "./mixture.ts";
import type { BlockScales } from "./weight-scales.ts";

export interface Linear {
  readonly weight: Weight;
  readonly bias?: Weight;
  /** Multiplies the product; then there is no bias. */
  readonly scale?: number;
}

export interface Norm {
  readonly form: "rms" | "layer";
  readonly weight: Weight;
  readonly bias?: Weight;
  readonly epsilon: number;
}

export interface AttentionWeights {
  readonly kind: "attention";
  /** With `isGated`, the rows of each head are its query, then a gate: a sigmoid of it multiplies the head's output (qwen35). */
  readonly q: Linear; // [heads · keyWidth, dim], or twice the rows
  readonly isGated?: true;
  /** Absent where the layer reads the keys and values of another: then v is, too. */
  readonly k?: Linear; // [kvHeads · keyWidth, dim]
  /** Absent, values are what k gives, through vNorm. */
  readonly v?: Linear; // [kvHeads · valueWidth, dim]
  readonly output: Linear; // [dim, heads · valueWidth]
  /** Norms before RoPE: of each head (qwen3), or over all heads together (olmo2). */
  readonly qNorm?: Norm; // [keyWidth] or [heads · keyWidth]
  readonly kNorm?: Norm; // [keyWidth] or [kvHeads · keyWidth]
  /** An RMSNorm of each head's value, without a weight. */
  readonly vNorm?: Pick<Norm, "epsilon">;
  readonly sinks?: Weight; // [1, heads]
  /** Of what the heads give together, before the output projection. */
  readonly mixedNorm?: Norm; // [heads · valueWidth]
}

/** PowerInfer's predictor of one layer; see SparsityMethod "mlp". */
export interface Predictor {
  readonly fc1: Weight; // [rank, dim]
  readonly fc2: Weight; // [neurons, rank]
}

export interface FfnWeights {
  readonly kind: "block";
  readonly gating: Gating;
  readonly activation: Activation;
  readonly neurons: number;
  readonly gate?: Weight; // [neurons, dim]
  readonly gateBias?: Weight; // [1, neurons]
  readonly up: Linear; // [neurons, dim]
  readonly down: DownProjection;
  readonly downBias?: Weight; // [1, dim]
  /** An RMSNorm before down. */
  readonly hiddenNorm?: Norm; // [neurons]
  readonly scales?: BlockScales;
  readonly predictor?: Predictor;
}

export interface LayerWeights {
  /** Absent where attention reads the residual itself (olmo2). */
  readonly attentionNorm?: Norm;
  readonly attention: AttentionWeights | DeltaNetWeights;
  /** Of what attention adds to the residual. */
  readonly attentionPostNorm?: Norm;
  /** Absent where the FFN reads what attention reads (falcon-7B), or the residual itself (olmo2). */
  readonly ffnNorm?: Norm;
  readonly ffn: FfnWeights | MixtureWeights;
  /** Of what the FFN adds to the residual. */
  readonly ffnPostNorm?: Norm;
  /** Behind the FFN: what the layer takes of the embedding of its own. */
  readonly input?: LayerInputWeights;
  /** Multiplies the residual behind the layer; absent: 1. */
  readonly outputScale?: number;
}

/** Undefined where experts stand in its place. */
export function blockOf({ ffn }: LayerWeights): FfnWeights | undefined {
  return ffn.kind === "block" ? ffn : undefined;
}

/** @throws UnsupportedError where experts stand in its place. */
export function requireBlock(layer: LayerWeights): FfnWeights {
  const block = blockOf(layer);
  if (block !== undefined) return block;
  throw new UnsupportedError("single neurons of a mixture of experts", ["plain blocks"]);
}

/** Whether a bias must be there. */
export type BiasRule = "required" | "optional";

export class WeightFinder {
  readonly #gguf: GgufFile;
  readonly #used = new Set<string>();

  constructor(gguf: GgufFile) {
    this.#gguf = gguf;
  }

  /** The tensor as [rows, columns]; leave `rows` out to take all of its rows. */
  matrix(name: string, shape: { readonly rows?: number; readonly columns: number }): Weight {
    const dimensions = this.#dimensions(name);
    const [columns = 1, rows = 1, ...rest] = dimensions;
    const fits = columns === shape.columns && (shape.rows === undefined || rows === shape.rows);
    if (dimensions.length > 0 && (!fits || rest.some((length) => length !== 1))) {
      this.fail(name, `[${dimensions.join(", ")}]`, describeShape(shape));
    }
    return this.#weight(name, { rows, columns }, describeShape(shape));
  }

  /** None where there is no such tensor. */
  #dimensions(name: string): readonly number[] {
    const tensor = this.#gguf.tensors.get(name);
    if (tensor !== undefined && !isWeightType(tensor.type)) throw this.#unsupportedTypes();
    return tensor?.dimensions ?? [];
  }

  /** The whole tensor, whose shape was judged. */
  #weight(
    name: string,
    shape: { readonly rows: number; readonly columns: number },
    expected: string,
  ): Weight {
    const tensor = this.#gguf.tensors.get(name);
    if (tensor === undefined) return this.fail(name, "nothing", `a tensor of ${expected}`);
    this.#used.add(name);
    const { type, path, offset, bytes } = tensor;
    if (!isWeightType(type)) throw this.#unsupportedTypes();
    return { name, type, ...shape, bytes: { kind: "file", path, offset, bytes } };
  }

  /** A tensor of `count` matrices [rows, columns], as one matrix of all their rows. */
  stack(
    name: string,
    shape: { readonly rows: number; readonly columns: number; readonly count: number },
  ): Weight {
    const { rows, columns, count } = shape;
    const dimensions = this.#dimensions(name);
    const [width = 1, height = 1, depth = 1, ...rest] = dimensions;
    const fits = width === columns && height === rows && depth === count;
    if (dimensions.length > 0 && (!fits || rest.some((length) => length !== 1))) {
      this.fail(name, `[${dimensions.join(", ")}]`, `[${columns}, ${rows}, ${count}]`);
    }
    return this.#weight(name, { rows: rows * count, columns }, `[${columns}, ${rows}, ${count}]`);
  }

  vector(name: string, length: number): Weight {
    return this.matrix(name, { rows: 1, columns: length });
  }

  /** Tensors whose names begin so are not refused, though nothing reads them. */
  ignore(prefix: string): void {
    for (const name of this.#gguf.tensors.keys()) if (name.startsWith(prefix)) this.#used.add(name);
  }

  has(name: string): boolean {
    return this.#gguf.tensors.has(name);
  }

  linear(name: string, shape: { rows: number; columns: number }, rule: BiasRule): Linear {
    const weight = this.matrix(`${name}.weight`, shape);
    const biasName = `${name}.bias`;
    if (rule === "optional" && !this.has(biasName)) return { weight };
    return { weight, bias: this.vector(biasName, shape.rows) };
  }

  norm(
    name: string,
    norm: {
      readonly form: Norm["form"];
      readonly width: number;
      readonly epsilon: number;
      readonly bias: BiasRule;
      /** Of an RMSNorm: whether it has one at all. */
      readonly hasBias?: boolean | undefined;
    },
  ): Norm {
    const { form, width, epsilon, bias, hasBias: ofRms = false } = norm;
    const weight = this.vector(`${name}.weight`, width);
    const mayHave = form === "layer" || ofRms;
    const hasBias = mayHave && (bias === "required" || this.has(`${name}.bias`));
    if (!hasBias) return { form, weight, epsilon };
    return { form, weight, bias: this.vector(`${name}.bias`, width), epsilon };
  }

  /**
   * A tensor that nobody asked for belongs to a computation that this architecture does not have: without it the
   * answers would be wrong. @throws UnsupportedError with the names, cut to one line.
   */
  refuseUnused(architecture: string): void {
    const unused = [...this.#gguf.tensors.keys()].filter((name) => !this.#used.has(name));
    if (unused.length === 0) return;
    throw new UnsupportedError(
      `${this.#gguf.path}: a model with tensors beside those of architecture ${architecture} (${listed(unused)})`,
      ["models that have its tensors only"],
      "Answers without them would be wrong",
    );
  }

  fail(name: string, found: string, expected: string): never {
    throw new FileFormatError({ file: this.#gguf.path, where: `tensor ${name}`, found, expected });
  }

  /** All types of the file that hearth lacks in one message, so that nobody meets them one by one. */
  #unsupportedTypes(): UnsupportedError {
    const byType = new Map<string, { first: string; more: number }>();
    for (const tensor of this.#gguf.tensors.values()) {
      if (isWeightType(tensor.type)) continue;
      const known = byType.get(tensor.type);
      if (known === undefined) byType.set(tensor.type, { first: tensor.name, more: 0 });
      else known.more++;
    }
    const list = [...byType].map(
      ([type, { first, more }]) => `${type} (${first}${more > 0 ? ` and ${more} more` : ""})`,
    );
    return new UnsupportedError(
      `${this.#gguf.path}: tensor type ${list.join(", ")}`,
      weightTypes,
      "Use a file quantised to one of these",
    );
  }
}

/** Elements [start, start + count) of a vector in a file: parts of a fused bias. Types without blocks only. */
export function elementRange(vector: Weight, start: number, count: number): Weight {
  if (tensorType(vector.type).blockElements > 1) {
    throw new UnsupportedError(`${vector.name} of type ${vector.type}`, ["F32", "F16", "BF16"]);
  }
  const parts = { ...vector, rows: vector.columns, columns: 1 };
  return { ...rowRange(parts, start, count), rows: 1, columns: count };
}

/** An error shows at most so many names. */
const maxListed = 6;

/** "a, b and 4 more" */
export function listed(names: readonly string[]): string {
  const shown = names.slice(0, maxListed).join(", ");
  return names.length > maxListed ? `${shown} and ${names.length - maxListed} more` : shown;
}

function describeShape(shape: { readonly rows?: number; readonly columns: number }): string {
  return shape.rows === 1 ? `[${shape.columns}]` : `[${shape.columns}, ${shape.rows ?? "any"}]`;
}
