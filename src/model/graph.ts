/**
 * A builder with which an architecture file reads as its diagram: `x + attention(norm(x))`. It emits ops over slots
 * that all layers share, and keeps a layer's FFN apart from the rest, so that it can be placed on two devices.
 */
import type { FfnBlock, Op, OpOf, RowFunction, Slot, SparsityMethod, Weight } from "../ops/op.ts";
import { channelsOf, type DeltaNetWeights } from "./delta-net.ts";
import { stateGateOps } from "./delta-net-ops.ts";
import { type Hyperparameters, headsOf } from "./hyperparameters.ts";
import { type LayerInputWeights, layerInputOps, layerInputsSlot } from "./layer-inputs.ts";
import { blockChannels, type LayerMasks, type MaskedInput } from "./layer-masks.ts";
import type { MixtureWeights } from "./mixture.ts";
import { type ExpertInputs, expertOps, routeOps } from "./mixture-ops.ts";
import type { AttentionSlots, ModelLayer } from "./model-layer.ts";
import { attentionOp, ffnBlock, matmulOp, normOp } from "./op-makers.ts";
import type { RopeTable } from "./rope-frequencies.ts";
import { queryFactors } from "./scales.ts";
import { nameFor, type SlotTable } from "./slot-table.ts";
import type { AttentionWeights, FfnWeights, LayerWeights, Linear, Norm } from "./weights.ts";

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
  /** Of a layer; undefined: its queries and keys are not rotated. */
  readonly ropeOf: (layer: number) => RopeTable | undefined;
  readonly pairing: "adjacent" | "halves";
  readonly contextLength: number;
  readonly methodFor: MethodChoice;
  readonly downRows?: (layer: number) => Weight | undefined;
  readonly masksFor?: (layer: number) => LayerMasks | undefined;
  /** The layer after whose attention only the rows that want an output go on. */
  readonly selectIn?: number;
}

export class LayerGraph {
  readonly #index: number;
  readonly #context: GraphContext;
  readonly #masks: LayerMasks;
  #ops: Op[] = [];
  #beforeFfn: readonly Op[] | undefined;
  #ffn: { readonly op: OpOf<"ffn">; readonly predictorInput: Slot } | undefined;
  #hasExperts = false;
  #attentionSlots: AttentionSlots | undefined;

  constructor(index: number, context: GraphContext) {
    this.#index = index;
    this.#context = context;
    this.#masks = context.masksFor?.(index) ?? {};
  }

  /** Into the slot `name`; a second norm that must live beside the first needs a name of its own. Without a norm: x. */
  norm(x: Slot, norm: Norm | undefined, name = "normed"): Slot {
    if (norm === undefined) return x;
    const out = this.#context.slots.slot(nameFor(x, name), x.width, x.rows);
    this.#ops.push(normOp({ x, out, norm, groups: 1 }));
    return out;
  }

  /** out + each summand, in this order; use the slot that is returned from then on. */
  add(out: Slot, ...summands: readonly Summand[]): Slot {
    return summands.reduce((sum, summand) => summand.addTo(sum), out);
  }

  /**
   * Grouped-query attention over the cache, with RoPE where the layer has it, or a gated delta rule over a state.
   * `postNorm`: of what is added.
   */
  attention(x: Slot, weights: LayerWeights["attention"], postNorm?: Norm): Summand {
    const place = { x, postNorm };
    switch (weights.kind) {
      case "attention":
        return { addTo: (out) => this.#attention({ ...place, out }, weights) };
      case "delta-net":
        return { addTo: (out) => this.#deltaNet({ ...place, out }, weights) };
      default:
        return weights satisfies never;
    }
  }

  /** A block, or experts whose router reads x. `predictorInput`: what PowerInfer's predictors read, unchanged until the sum. */
  ffn(x: Slot, weights: LayerWeights["ffn"], predictorInput: Slot, postNorm?: Norm): Summand {
    switch (weights.kind) {
      case "block":
        return { addTo: (out) => this.#feedForward({ x, out, predictorInput, postNorm }, weights) };
      case "mixture":
        return this.experts(x, weights, { postNorm });
      default:
        return weights satisfies never;
    }
  }

  /** The experts that a router chooses for x: [rows, 2 · used]. */
  routes(x: Slot, weights: MixtureWeights): Slot {
    const { ops, routes } = routeOps(x, weights, this.#context);
    this.#ops.push(...ops);
    return routes;
  }

  /** Experts and shared ones. */
  experts(
    x: Slot,
    weights: MixtureWeights,
    given: ExpertInputs & { readonly postNorm?: Norm | undefined },
  ): Summand {
    return { addTo: (out) => this.#experts({ x, out, postNorm: given.postNorm }, weights, given) };
  }

  /** What the layer takes of the embedding of its own. */
  layerInput(x: Slot, weights: LayerInputWeights): Summand {
    const { shape, slots } = this.#context;
    return {
      addTo: (out) => {
        const branch = this.#branch(out, weights.postNorm).out;
        const inputs = layerInputsSlot(shape, slots);
        const place = { layer: this.#index, x, out: branch, inputs, slots };
        this.#ops.push(...layerInputOps(weights, place));
        this.#join(branch, out, weights.postNorm);
        return out;
      },
    };
  }

  /** x·factor, in the place of x. */
  scaled(x: Slot, factor: number | undefined): Slot {
    this.#scale(x, x, factor);
    return x;
  }

  finish(): ModelLayer {
    const attention = this.#attentionSlots ?? missing(this.#index, "attention");
    const before = this.#beforeFfn ?? [];
    if (this.#ffn === undefined && !this.#hasExperts) missing(this.#index, "a feed-forward block");
    const { op: ffn, predictorInput } = this.#ffn ?? {};
    const block = ffn && predictorInput && { ffn, predictorInput };
    return { index: this.#index, before, ...block, after: this.#ops, attention };
  }

  #attention(place: BranchPlace, weights: AttentionWeights): Slot {
    const { x } = place;
    const { shape, slots } = this.#context;
    const layer = this.#index;
    const ofHeads = headsOf(shape.attention, layer);
    const { heads, kvHeads, valueWidth, cacheOf = layer } = ofHeads;
    const { attention: masked } = this.#masks;
    const input = this.#mask(x, masked, "masked for attention");
    const { q, gate } = this.#queries(input, weights, masked?.channels.q);
    const own = weights.k && this.#keysAndValues(input, weights, weights.k);
    this.#normParts(q, weights.qNorm);
    if (own) this.#normParts(own.k, weights.kNorm);
    this.#rope(q, heads);
    if (own) this.#rope(own.k, kvHeads);
    this.#scaleQueries(q);
    if (own) this.#ops.push({ kind: "store-kv", layer, ...own });
    const mixed = slots.ofWidth("attention", heads * valueWidth);
    this.#attentionSlots = { input: x, output: mixed };
    this.#ops.push(attentionOp({ layer: cacheOf, q, out: mixed }, ofHeads, weights));
    if (gate) this.#gate(mixed, gate, { kind: "sigmoid" });
    this.#normParts(mixed, weights.mixedNorm);
    return this.#project(mixed, weights.output, place);
  }

  /** The queries, and the gate that stands beside each head's where there is one. */
  #queries(
    x: Slot,
    { q: linear, isGated }: AttentionWeights,
    channels: Weight | undefined,
  ): { readonly q: Slot; readonly gate?: Slot } {
    const { shape, slots } = this.#context;
    const { heads, keyWidth } = headsOf(shape.attention, this.#index);
    const q = slots.ofWidth("q", heads * keyWidth);
    if (!isGated) return { q: this.#linear(x, linear, q, channels) };
    const both = slots.ofWidth("q and gate", 2 * heads * keyWidth);
    this.#linear(x, linear, both, channels);
    const gate = slots.ofWidth("output gate", heads * keyWidth);
    this.#ops.push(
      { kind: "part", x: both, out: q, groups: heads, first: 0 },
      { kind: "part", x: both, out: gate, groups: heads, first: keyWidth },
    );
    return { q, gate };
  }

  /** Without a projection of their own, values are what keys are before their norm. */
  #keysAndValues(
    x: Slot,
    weights: AttentionWeights,
    keys: Linear,
  ): { readonly k: Slot; readonly v: Slot } {
    const { shape, slots } = this.#context;
    const { kvHeads, keyWidth, valueWidth } = headsOf(shape.attention, this.#index);
    const { k: kT, v: vT } = this.#masks.attention?.channels ?? {};
    const k = this.#linear(x, keys, slots.ofWidth("k", kvHeads * keyWidth), kT);
    const v = slots.ofWidth("v", kvHeads * valueWidth);
    const values = weights.v ? this.#linear(x, weights.v, v, vT) : k;
    if (weights.vNorm) {
      const norm = { form: "rms", groups: kvHeads, ...weights.vNorm } as const;
      this.#ops.push({ kind: "norm", x: values, out: v, ...norm });
    }
    return { k, v };
  }

  #deltaNet(place: BranchPlace, weights: DeltaNetWeights): Slot {
    const { x } = place;
    const { shape, slots } = this.#context;
    const layer = this.#index;
    const net = shape.deltaNets?.[layer] ?? missing(layer, "a delta net");
    const { heads, keyHeads, keyRun, valueWidth } = net;
    const { attention: masked } = this.#masks;
    const input = this.#mask(x, masked, "masked for attention");
    const { qkv: qkvT, outputGate: gateT } = masked?.channels ?? {};
    const qkv = this.#linear(input, weights.qkv, slots.ofWidth("qkv", channelsOf(net)), qkvT);
    const gateSlot = slots.ofWidth("output gate", heads * valueWidth);
    const gate = this.#linear(input, weights.gate, gateSlot, gateT);
    const { ops, decay, strength } = stateGateOps(input, weights.gates, { net, slots });
    this.#ops.push(...ops);
    const mixed = slots.ofWidth("attention", heads * valueWidth);
    this.#attentionSlots = { input: x, output: mixed };
    const { convolution, rate, bias, norm } = weights;
    const activation = { kind: "silu" } as const;
    const { normEpsilon: epsilon } = shape;
    this.#ops.push(
      { kind: "convolve", layer, x: qkv, out: qkv, weight: convolution },
      { kind: "activate", gating: "ungated", activation, up: qkv, out: qkv },
      {
        kind: "delta-rule",
        layer,
        x: qkv,
        decay,
        strength,
        out: mixed,
        keyHeads,
        keyRun,
        rate,
        bias,
        epsilon,
      },
    );
    this.#normParts(mixed, norm);
    this.#gate(mixed, gate, activation);
    return this.#project(mixed, weights.output, place);
  }

  /** x = act(gate)·x */
  #gate(x: Slot, gate: Slot, activation: RowFunction): void {
    this.#ops.push({ kind: "activate", gating: "gated", activation, gate, up: x, out: x });
  }

  /** What the tokens are mixed to is projected and added to the residual; in the last layer perhaps for output rows alone. */
  #project(mixed: Slot, linear: Linear, { out, postNorm }: BranchPlace): Slot {
    const { attentionOutput } = this.#masks;
    const isLast = this.#index === this.#context.selectIn;
    const going = isLast ? this.#selectOutputs(mixed) : mixed;
    const sum = isLast ? this.#selectOutputs(out) : out;
    const output = this.#mask(going, attentionOutput, "masked attention");
    const channels = attentionOutput?.channels.output;
    const { scale } = linear;
    const branch = this.#branch(sum, postNorm, scale);
    this.#ops.push(matmulOp({ x: output, ...branch, linear, channels }));
    this.#join(branch.out, sum, postNorm, scale);
    return sum;
  }

  /** Where a summand of `sum` is computed: in place, or apart where something is done to it first. */
  #branch(
    sum: Slot,
    postNorm: Norm | undefined,
    scale = 1,
  ): { readonly out: Slot; readonly into: "assign" | "add" } {
    const { slots, shape } = this.#context;
    const isPlain = postNorm === undefined && shape.scales.residual * scale === 1;
    if (isPlain) return { out: sum, into: "add" };
    return { out: slots.slot(nameFor(sum, "branch"), sum.width, sum.rows), into: "assign" };
  }

  /** `scale`: of what is joined, before its norm. */
  #join(branch: Slot, sum: Slot, norm: Norm | undefined, scale = 1): void {
    if (branch === sum) return;
    const { residual } = this.#context.shape.scales;
    if (norm) {
      this.#scale(branch, branch, scale);
      this.#ops.push(normOp({ x: branch, out: branch, norm, groups: 1 }));
    }
    const factor = norm ? residual : residual * scale;
    this.#ops.push({ kind: "add", x: branch, out: sum, ...(factor !== 1 && { factor }) });
  }

  /** x with small values set to 0, in a slot of its own: others may read x. */
  #mask(x: Slot, masked: MaskedInput<string> | undefined, name: string): Slot {
    if (masked === undefined) return x;
    const out = this.#context.slots.ofWidth(nameFor(x, name), x.width, x.rows);
    const { value, norms } = masked;
    this.#ops.push({ kind: "mask", x, out, value, norms });
    return out;
  }

  #selectOutputs(x: Slot): Slot {
    const out = this.#context.slots.slot(`${x.name} of outputs`, x.width, "outputs");
    this.#ops.push({ kind: "select", x, out });
    return out;
  }

  #feedForward(place: BranchPlace & { readonly predictorInput: Slot }, weights: FfnWeights): Slot {
    const { out, predictorInput, postNorm } = place;
    const layer = this.#index;
    const { ffn: masked } = this.#masks;
    const { scales } = weights;
    const scaled = this.#scaledInput(place.x, scales?.input);
    const x = this.#mask(scaled, masked, "masked for ffn");
    const dense = ffnBlock(layer, { weights, downRows: this.#context.downRows?.(layer) });
    const method = this.#context.methodFor(layer, dense, predictorInput, x);
    const block = { ...dense, method, ...blockChannels(masked) };
    const branch = this.#branch(out, postNorm, scales?.output);
    this.#ffn = { op: { kind: "ffn", x, ...branch, block }, predictorInput };
    this.#beforeFfn = this.#ops;
    this.#ops = [];
    this.#join(branch.out, out, postNorm, scales?.output);
    return out;
  }

  #experts({ x, out, postNorm }: BranchPlace, weights: MixtureWeights, given: ExpertInputs): Slot {
    const { slots } = this.#context;
    this.#hasExperts = true;
    const chosen = given.routes ?? this.routes(x, weights);
    const routes = chosen.rows === x.rows ? chosen : this.#selectOutputs(chosen);
    const branch = this.#branch(out, postNorm);
    const { blockInput } = given;
    const place = { x, routes, ...branch, layer: this.#index, slots, blockInput };
    this.#ops.push(...expertOps(weights, place));
    this.#join(branch.out, out, postNorm);
    return out;
  }

  #linear(x: Slot, linear: Linear, out: Slot, channels: Weight | undefined): Slot {
    this.#ops.push(matmulOp({ x, out, into: "assign", linear, channels }));
    this.#scale(out, out, linear.scale);
    return out;
  }

  #scale(x: Slot, out: Slot, factor = 1): void {
    if (factor !== 1) this.#ops.push({ kind: "scale", x, out, factor });
  }

  /** In a slot of its own: others may read x. */
  #scaledInput(x: Slot, factor = 1): Slot {
    if (factor === 1) return x;
    const out = this.#context.slots.slot(nameFor(x, "scaled"), x.width, x.rows);
    this.#scale(x, out, factor);
    return out;
  }

  /** Over parts as long as the norm's weight: heads, or all of them together. In place. */
  #normParts(x: Slot, norm: Norm | undefined): void {
    if (norm === undefined) return;
    this.#ops.push(normOp({ x, out: x, norm, groups: x.width / norm.weight.columns }));
  }

  #rope(x: Slot, heads: number): void {
    const { ropeOf, pairing } = this.#context;
    const table = ropeOf(this.#index);
    if (table === undefined) return;
    const { frequencies, magnitude } = table;
    this.#ops.push({ kind: "rope", x, heads, pairing, frequencies, magnitude });
  }

  #scaleQueries(q: Slot): void {
    const { shape, contextLength } = this.#context;
    const { queries } = shape.scales;
    if (queries === undefined) return;
    const byPosition = { length: queries.length, factors: queryFactors(queries, contextLength) };
    this.#ops.push({ kind: "scale", x: q, out: q, factor: 1, byPosition });
  }
}

/** What a summand is made of and added to, and the norm between the two. */
interface BranchPlace {
  readonly x: Slot;
  readonly out: Slot;
  readonly postNorm: Norm | undefined;
}

function missing(layer: number, part: string): never {
  throw new RangeError(`layer ${layer} was built without ${part}`);
}
