/**
 * A builder with which an architecture file reads as its diagram: `x + attention(norm(x))`. It emits ops over slots
 * that all layers share, and keeps a layer's FFN apart from the rest, so that it can be placed on two devices.
 */
import { ShapeError } from "../core/errors.ts";
import type { FfnBlock, Op, Slot, SparsityMethod } from "../ops/op.ts";
import type { Hyperparameters } from "./hyperparameters.ts";
import type { RopeTable } from "./rope-frequencies.ts";
import type { AttentionWeights, FfnWeights, Linear, Norm } from "./weights.ts";

export type FfnOp = Extract<Op, { kind: "ffn" }>;

/** One layer, its FFN apart: run `before`, `ffnNorm`, `ffn`, `after`. */
export interface ModelLayer {
  readonly index: number;
  readonly before: readonly Op[];
  /** Makes ffn.x out of the residual; absent where `before` has made it already (parallel residual). */
  readonly ffnNorm?: Extract<Op, { kind: "norm" }>;
  readonly ffn: FfnOp;
  /** What PowerInfer's predictor reads; unchanged until `ffn` has run. */
  readonly predictorInput: Slot;
  /** Attention, where it is parallel to the FFN; else nothing. */
  readonly after: readonly Op[];
}

/** Activation buffers by name: the same name is the same buffer. */
export class SlotTable {
  readonly #slots: Slot[] = [];

  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** @throws ShapeError when the name is taken by a slot of another shape. */
  slot(name: string, width: number, rows: Slot["rows"] = "step"): Slot {
    const known = this.#slots.find((slot) => slot.name === name);
    if (known !== undefined) {
      if (known.width === width && known.rows === rows) return known;
      throw new ShapeError(`slot ${name}`, `${known.rows} × ${known.width}`, `${rows} × ${width}`);
    }
    const slot: Slot = { id: this.#slots.length, name, width, rows };
    this.#slots.push(slot);
    return slot;
  }
}

/** A summand that is not computed yet: its last op writes where it is added. Returns where the sum stands. */
export interface Summand {
  addTo(out: Slot): Slot;
}

/**
 * Chooses how a block's active neurons are found. What an "mlp" method may read: `predictorInput`, the residual that
 * PowerInfer's predictors were made for, or `normed`, what gate and up multiply.
 */
export type MethodChoice = (
  layer: number,
  block: FfnBlock,
  predictorInput: Slot,
  normed: Slot,
) => SparsityMethod;

export interface GraphContext {
  readonly shape: Hyperparameters;
  readonly slots: SlotTable;
  /** Absent: positions are learned. */
  readonly rope?: RopeTable & { readonly pairing: "adjacent" | "halves" };
  readonly methodFor: MethodChoice;
  readonly downRows?: (layer: number) => FfnBlock["down"]["weight"] | undefined;
  /** The layer after whose attention only the rows that want an output go on. */
  readonly selectIn?: number;
}

export class LayerGraph {
  readonly #index: number;
  readonly #context: GraphContext;
  #ops: Op[] = [];
  #beforeFfn: readonly Op[] | undefined;
  #ffn: { readonly op: FfnOp; readonly predictorInput: Slot } | undefined;

  constructor(index: number, context: GraphContext) {
    this.#index = index;
    this.#context = context;
  }

  /** Into the slot `name`; a second norm that must live beside the first needs a name of its own. */
  norm(x: Slot, norm: Norm, name = "normed"): Slot {
    const out = this.#context.slots.slot(nameFor(x, name), x.width, x.rows);
    this.#ops.push(normOp({ x, out, norm, groups: 1 }));
    return out;
  }

  /** out + each summand, in this order; use the slot that is returned from then on. */
  add(out: Slot, ...summands: readonly Summand[]): Slot {
    return summands.reduce((sum, summand) => summand.addTo(sum), out);
  }

  /** Grouped-query attention over the cache, with RoPE where the model has it. */
  attention(x: Slot, weights: AttentionWeights): Summand {
    return { addTo: (out) => this.#attention(x, weights, out) };
  }

  /** `predictorInput`: the residual that PowerInfer's predictors read; it must not change before the sum. */
  ffn(x: Slot, weights: FfnWeights, predictorInput: Slot): Summand {
    return { addTo: (out) => this.#feedForward({ x, out, predictorInput }, weights) };
  }

  finish(): ModelLayer {
    const { op: ffn, predictorInput } = this.#ffn ?? missingFfn(this.#index);
    const before = this.#beforeFfn ?? [];
    const after = this.#ops;
    const last = before.at(-1);
    const index = this.#index;
    if (last?.kind === "norm" && last.out === ffn.x && after.length === 0) {
      return { index, before: before.slice(0, -1), ffnNorm: last, ffn, predictorInput, after };
    }
    return { index, before, ffn, predictorInput, after };
  }

  #attention(x: Slot, weights: AttentionWeights, out: Slot): Slot {
    const { shape, slots } = this.#context;
    const { heads, kvHeads, headDim } = shape;
    const layer = this.#index;
    const q = this.#linear(x, weights.q, slots.slot("q", heads * headDim));
    const k = this.#linear(x, weights.k, slots.slot("k", kvHeads * headDim));
    const v = this.#linear(x, weights.v, slots.slot("v", kvHeads * headDim));
    if (weights.qNorm) this.#ops.push(normOp({ x: q, out: q, norm: weights.qNorm, groups: heads }));
    if (weights.kNorm) {
      this.#ops.push(normOp({ x: k, out: k, norm: weights.kNorm, groups: kvHeads }));
    }
    this.#rope(q, heads);
    this.#rope(k, kvHeads);
    const mixed = slots.slot("attention", heads * headDim);
    this.#ops.push(
      { kind: "store-kv", layer, k, v },
      { kind: "attention", layer, q, out: mixed, heads, scale: shape.attentionScale },
    );
    const isLast = layer === this.#context.selectIn;
    const going = isLast ? this.#selectOutputs(mixed) : mixed;
    const sum = isLast ? this.#selectOutputs(out) : out;
    this.#ops.push(matmulOp({ x: going, out: sum, into: "add", linear: weights.output }));
    return sum;
  }

  #selectOutputs(x: Slot): Slot {
    const out = this.#context.slots.slot(`${x.name} of outputs`, x.width, "outputs");
    this.#ops.push({ kind: "select", x, out });
    return out;
  }

  #feedForward(
    place: { readonly x: Slot; readonly out: Slot; readonly predictorInput: Slot },
    weights: FfnWeights,
  ): Slot {
    const { x, out, predictorInput } = place;
    const layer = this.#index;
    const dense = ffnBlock(layer, { weights, downRows: this.#context.downRows?.(layer) });
    const method = this.#context.methodFor(layer, dense, predictorInput, x);
    const op: FfnOp = { kind: "ffn", x, out, into: "add", block: { ...dense, method } };
    this.#ffn = { op, predictorInput };
    this.#beforeFfn = this.#ops;
    this.#ops = [];
    return out;
  }

  #linear(x: Slot, linear: Linear, out: Slot): Slot {
    this.#ops.push(matmulOp({ x, out, into: "assign", linear }));
    return out;
  }

  #rope(x: Slot, heads: number): void {
    if (this.#context.rope === undefined) return;
    const { pairing, frequencies, magnitude } = this.#context.rope;
    this.#ops.push({ kind: "rope", x, heads, pairing, frequencies, magnitude });
  }
}

/** Buffers of output rows have names of their own. */
function nameFor(x: Slot, name: string): string {
  return x.rows === "outputs" ? `${name} of outputs` : name;
}

export function normOp(parts: {
  readonly x: Slot;
  readonly out: Slot;
  readonly norm: Norm;
  readonly groups: number;
}): Extract<Op, { kind: "norm" }> {
  const { x, out, norm, groups } = parts;
  const { form, weight, bias, epsilon } = norm;
  return { kind: "norm", form, x, out, groups, weight, ...(bias && { bias }), epsilon };
}

export function matmulOp(parts: {
  readonly x: Slot;
  readonly out: Slot;
  readonly into: "assign" | "add";
  readonly linear: Linear;
}): Op {
  const { x, out, into, linear } = parts;
  return { kind: "matmul", x, out, into, ...linear };
}

function ffnBlock(
  layer: number,
  source: { readonly weights: FfnWeights; readonly downRows: FfnBlock["up"] | undefined },
): FfnBlock {
  const { weights, downRows } = source;
  const { gating, activation, neurons, gate, up, downBias } = weights;
  const down: FfnBlock["down"] =
    downRows === undefined ? weights.down : { layout: "rows", weight: downRows };
  return {
    layer,
    dim: up.weight.columns,
    neurons,
    gating,
    activation,
    ...(gate && { gate }),
    up: up.weight,
    ...(up.bias && { upBias: up.bias }),
    down,
    ...(downBias && { downBias }),
    method: { kind: "dense" },
  };
}

function missingFfn(layer: number): never {
  throw new RangeError(`layer ${layer} was built without a feed-forward block`);
}
