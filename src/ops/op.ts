/**
 * The operations a model is made of, as data. A model description (model/) emits them once;
 * each backend compiles them once; a step only runs them. No op names a device or an architecture.
 *
 * Every slot holds f32 rows: [rows of the step, width], or [output rows, width] after `select`.
 */
import type { WeightType } from "../core/dtype.ts";

/** Where the bytes of a weight lie. Memory is for what was made at load, such as a transposed matrix. */
export type WeightBytes =
  | {
      readonly kind: "file";
      readonly path: string;
      readonly offset: number;
      readonly bytes: number;
    }
  | { readonly kind: "memory"; readonly data: Uint8Array };

/** A matrix [rows, columns], row after row, each row a whole number of blocks. A vector has one row. */
export interface Weight {
  readonly name: string;
  readonly type: WeightType;
  readonly rows: number;
  readonly columns: number;
  readonly bytes: WeightBytes;
}

/** An activation buffer of f32 [rows, width]. */
export interface Slot {
  /** Index in Program.slots. */
  readonly id: number;
  readonly name: string;
  readonly width: number;
  /** "step": one row for each row of the step. "outputs": one for each row that wants an output. */
  readonly rows: "step" | "outputs";
}

/**
 * relu² (Primer), FATReLU (ProSparse: x if x ≥ threshold, else 0), gelu as erf or its tanh form; clamped-swish (gpt-oss):
 * y/(1 + e^−1.702y) with y = min(x, 7).
 */
export type Activation =
  | { readonly kind: "silu" | "gelu" | "gelu-tanh" | "relu" | "relu2" | "clamped-swish" }
  | { readonly kind: "fatrelu"; readonly threshold: number };

/** Those of blocks, and the gate of an attention's output: sigmoid, 1/(1 + e^−x). */
export type RowFunction = Activation | { readonly kind: "sigmoid" };

/**
 * How the hidden vector h of an FFN comes about, with u = up·x + bias and g = gate·x + bias:
 * ungated h = act(u); gated h = act(g)·u (ReGLU, SwiGLU); both h = act(g)·act(u) (dReLU, Bamboo); clamped
 * h = act(g)·(1 + c) with c = u between −7 and 7 (gpt-oss).
 */
export type Gating = "ungated" | "gated" | "both" | "clamped";

/** Says which neurons of a block are computed. See docs/ARCHITECTURE.md, "Sparsity methods". */
export type SparsityMethod =
  /** All neurons: the reference. */
  | { readonly kind: "dense" }
  /** Exact for the ReLU family: the gate (or up, if ungated) for all neurons, the rest where act ≠ 0. */
  | { readonly kind: "gate" }
  /** PowerInfer §5.1: neuron r is active iff (fc2·relu(fc1·input))[r] ≥ threshold. */
  | {
      readonly kind: "mlp";
      /** What the predictor reads, f32 [rows, dim]. */
      readonly input: Slot;
      readonly fc1: Weight; // [rank, dim]
      readonly fc2: Weight; // [neurons, rank]
      readonly threshold: number;
    }
  /**
   * SparseInfer: active iff (dim − 2·popcount(signs[r] XOR signs(x − centre))) ≥ margin, or ≥ margins[r].
   * signs: one bit a weight of the gate row (or up, if ungated), 1 = negative; little-endian bits, rows padded to 64.
   */
  | {
      readonly kind: "sign";
      readonly signs: Uint8Array; // [neurons, ceil(dim / 64) * 8]
      readonly margin: number;
      /** Whole numbers, one for each neuron, in place of `margin`. */
      readonly margins?: Int32Array;
      /** f32 [dim]; absent: 0. Values of x that are seldom negative say little by their signs. */
      readonly centre?: Float32Array;
    }
  /** CATS: |act(g)| ≥ value keeps a neuron (gated only); up and down of the others are skipped. */
  | { readonly kind: "threshold-gate"; readonly value: number }
  /** |h|·‖down row‖ ≥ value keeps a neuron; only the down row of the others is skipped. */
  | { readonly kind: "threshold-output"; readonly value: number; readonly downNorms: Float32Array }
  /** Those that a `predict` op has found, of all neurons of the block: one device predicts for several. */
  | {
      readonly kind: "given";
      readonly active: Slot; // width activeWidth(neurons)
      /** Bytes of the predictor, where they are counted with this block; 0 with the blocks that share it. */
      readonly predictorBytes: number;
    };

/** Methods that judge a block's neurons before it runs. */
export type Predictor = Extract<SparsityMethod, { readonly kind: "mlp" | "sign" }>;

/** One feed-forward block, whole or a subset of its neurons (a split layer's share). */
export interface FfnBlock {
  readonly layer: number;
  readonly dim: number;
  /** Neurons in the weights below, before `subset`. */
  readonly neurons: number;
  readonly gating: Gating;
  readonly activation: Activation;
  readonly gate?: Weight; // [neurons, dim]
  /** Only with a gate. */
  readonly gateBias?: Weight; // [1, neurons]
  readonly up: Weight; // [neurons, dim]
  readonly upBias?: Weight; // [1, neurons]
  readonly down: DownProjection;
  readonly downBias?: Weight; // [1, dim]; added once, by whichever device has `downBias`
  /** h becomes h/√(Σh²/neurons + ε)·w before down, Σ over the active neurons (BitNet 2402.17764). Not with a subset. */
  readonly hiddenNorm?: HiddenNorm;
  /** As in `matmul`, of gate (iff gated) and up; only with the method "threshold-output". With a subset they may be ignored. */
  readonly channels?: { readonly gate?: Weight; readonly up: Weight }; // each W^T [dim, neurons]
  readonly method: SparsityMethod;
  /** Sorted ids of the neurons this op computes; absent: all. Weights and signs are indexed by the id. */
  readonly subset?: Uint32Array;
}

export interface HiddenNorm {
  readonly weight: Weight; // [1, neurons]
  readonly epsilon: number;
}

/** A matrix of each expert, in one weight: that of expert e is the `rows` rows from first + e·stride on. */
export interface StackedWeight {
  readonly weight: Weight;
  readonly first: number;
  readonly stride: number;
  readonly rows: number;
  /** Where each matrix is a weight of its own, of one shape and type: that of expert e. Then `weight` is the first, of which first and stride say nothing. */
  readonly apart?: readonly Weight[];
}

/** The experts of a layer: blocks of one form, of which a router chooses a few for each row. */
export interface ExpertStack {
  readonly layer: number;
  readonly count: number;
  readonly dim: number;
  /** Of one expert. */
  readonly neurons: number;
  readonly gating: Gating;
  readonly activation: Activation;
  readonly gate?: StackedWeight; // [neurons, dim] each
  readonly gateBias?: StackedWeight; // [1, neurons] each
  readonly up: StackedWeight; // [neurons, dim] each
  readonly upBias?: StackedWeight; // [1, neurons] each
  readonly down: StackedWeight; // [dim, neurons] each
  readonly downBias?: StackedWeight; // [1, dim] each
}

/** How experts are chosen and weighed, from one logit for each. Source of the order: llama.cpp, build_moe_ffn. */
export interface Router {
  /**
   * The score of an expert, which weighs it: of the softmax over all logits; the sigmoid of its own; or its logit, and
   * then the weights are the softmax over the chosen ones (gpt-oss).
   */
  readonly scores: "softmax" | "sigmoid" | "softmax-of-chosen";
  /** Added to the scores by which experts are chosen, not to those that weigh them (DeepSeek-V3 2412.19437, §2.1.2). */
  readonly bias?: Weight; // [1, experts]
  /** Equal groups, in order: only the experts of the `used` groups whose two best add up to most can be chosen. */
  readonly groups?: { readonly count: number; readonly used: number };
  /** Weights are divided by their sum, or by 2⁻¹⁴ where that is larger. */
  readonly normalise: boolean;
  /** Multiplies the weights in the end. */
  readonly scale: number;
  /** Multiplies the weight of each expert besides: a scale of its down projection. */
  readonly factors?: Weight; // [1, experts]
}

/** "columns": W [dim, neurons] as in plain GGUF. "rows": W^T [neurons, dim], a neuron = a row, for axpy. */
export interface DownProjection {
  readonly layout: "columns" | "rows";
  readonly weight: Weight;
}

/** A factor for each stretch of `length` positions, the first at position 0. */
export interface PositionFactors {
  readonly length: number;
  readonly factors: Float32Array;
}

/** Whether a result replaces the slot or is added to it. */
export type Into = "assign" | "add";

export type Op =
  /** out[i] = table[token[i]] (+ positions[position[i] + positionOffset]) */
  | {
      readonly kind: "embed";
      readonly out: Slot;
      readonly table: Weight; // [vocabulary, dim]
      readonly positions?: { readonly weight: Weight; readonly offset: number };
      /** Multiplies the embedding (1 for most). */
      readonly scale: number;
    }
  /** Over `groups` equal parts of a row (1; heads for per-head norms): rms: x/√(mean x² + ε)·w; layer: (x−mean)/√(var + ε)·w + b. weight [1, width/groups] */
  | {
      readonly kind: "norm";
      readonly form: "rms" | "layer";
      readonly x: Slot;
      readonly out: Slot;
      readonly groups: number;
      readonly weight?: Weight;
      readonly bias?: Weight;
      readonly epsilon: number;
    }
  /** out (+)= W x (+ bias). W [out width, x width] */
  | {
      readonly kind: "matmul";
      readonly x: Slot;
      readonly out: Slot;
      readonly into: Into;
      readonly weight: Weight;
      readonly bias?: Weight;
      /**
       * A copy of `weight` with its columns as rows, by which a backend may read only the input channels that are not
       * zero. Whether it does is its own choice: the result is the same within rounding and the copy's own error.
       */
      readonly channels?: Weight; // W^T [x width, out width]
    }
  /** Rotates the first 2·frequencies.length elements of each head by angle position·frequency, cos and sin times magnitude. In place. */
  | {
      readonly kind: "rope";
      readonly x: Slot;
      readonly heads: number;
      /** "adjacent": pairs (2i, 2i+1), llama. "halves": pairs (i, i + n/2), NeoX. */
      readonly pairing: "adjacent" | "halves";
      readonly frequencies: Float32Array;
      readonly magnitude: number;
    }
  /** cache[layer][sequence[i]][position[i]] = (k[i], v[i]), rounded to the cache's type. */
  | { readonly kind: "store-kv"; readonly layer: number; readonly k: Slot; readonly v: Slot }
  /**
   * out[i] = Σ e^s(p)·V(p) / Σ e^s(p) with s(p) = q[i]·K(p)·scale over positions 0…position[i] of sequence[i]. Head h uses
   * KV head ⌊h·kvHeads/heads⌋.
   */
  | {
      readonly kind: "attention";
      readonly layer: number;
      readonly q: Slot; // heads · keyWidth
      readonly out: Slot; // heads · valueWidth
      readonly heads: number;
      readonly scale: number;
      /** Over the last so many positions only, its own included (Mistral 2310.06825). Absent: all. */
      readonly window?: number;
      /** s(p) = softCap·tanh(q·K(p)·scale / softCap) (Gemma 2 2408.00118). Absent: none. */
      readonly softCap?: number;
      /** The sum below gets e^sink of the head: a position whose value is 0 (2309.17453). Absent: none. */
      readonly sinks?: Weight; // [1, heads]
    }
  /**
   * A causal convolution over each sequence, channel by channel: out[i][c] = Σ_t weight[c][t]·x[i − taps + 1 + t][c], rows
   * before position 0 being 0. The layer's state holds the last taps − 1 rows. out may be x.
   */
  | {
      readonly kind: "convolve";
      readonly layer: number;
      readonly x: Slot;
      readonly out: Slot;
      readonly weight: Weight; // [width, taps]
    }
  /**
   * The gated delta rule over the layer's state, a matrix S [keyWidth, valueWidth] for each head, 0 before position 0; row
   * by row, with q/‖q‖/√keyWidth and k/‖k‖ (norms at least ε) of key head ⌊h/keyRun⌋ mod keyHeads and v of head h:
   * S ← a·S, then S ← S + k ⊗ β(v − kᵀS), out[h] = qᵀS, where a = e^(rate[h]·log(1 + e^(decay[h] + bias[h]))) and
   * β = sigmoid(strength[h]). Source: 2412.06464.
   */
  | {
      readonly kind: "delta-rule";
      readonly layer: number;
      /** q [keyHeads, keyWidth], then k of the same, then v [heads, valueWidth]. */
      readonly x: Slot;
      readonly decay: Slot; // width heads
      readonly strength: Slot; // width heads
      readonly out: Slot; // width heads · valueWidth
      readonly keyHeads: number;
      /** So many heads in a row share a key head. */
      readonly keyRun: number;
      readonly rate: Weight; // [1, heads], below 0
      readonly bias: Weight; // [1, heads]
      readonly epsilon: number;
    }
  /** out = h from u (and g): the middle of an FFN whose parts are separate ops (profiling), or a gate over any rows. */
  | {
      readonly kind: "activate";
      readonly gating: Gating;
      readonly activation: RowFunction;
      readonly gate?: Slot;
      readonly up: Slot;
      readonly out: Slot;
    }
  /** out (+)= down(h(x)) over the active neurons of the block. x and the predictor's input are read before out is written. */
  | {
      readonly kind: "ffn";
      readonly x: Slot;
      readonly out: Slot;
      readonly into: Into;
      readonly block: FfnBlock;
    }
  /** out = the active set of a block with input x, as active-bits.ts has it. */
  | {
      readonly kind: "predict";
      readonly x: Slot;
      readonly out: Slot; // width activeWidth(neurons)
      readonly layer: number;
      readonly neurons: number;
      readonly predictor: Predictor;
    }
  /**
   * Chooses the `used` experts of highest score, the lower id first on a tie. out: their ids, in order of choice, as f32;
   * then their weights. Where any score is NaN: the first ids, all weighed by NaN.
   */
  | {
      readonly kind: "route";
      readonly x: Slot; // width experts: logits
      readonly out: Slot; // width 2 · used
      readonly router: Router;
    }
  /** out (+)= Σ weight·(down(h(x)) + bias) over the chosen experts that are computed here, in rising order of their ids. */
  | {
      readonly kind: "experts";
      readonly x: Slot;
      readonly routes: Slot; // as `route` writes them
      readonly out: Slot;
      readonly into: Into;
      readonly stack: ExpertStack;
      /** Sorted ids of the experts that this op computes, at least one; absent: all. Weights are indexed by the id. */
      readonly subset?: Uint32Array;
    }
  /** out = x where |x|·norm ≥ value, computed and compared in f32, elsewhere 0; NaN stays NaN. out may be x. TEAL 2408.14690; with norms, WINA 2505.19427. */
  | {
      readonly kind: "mask";
      readonly x: Slot;
      readonly out: Slot;
      readonly value: number;
      /** f32 [x width]; absent: 1. */
      readonly norms?: Float32Array;
    }
  /** out += factor·x */
  | {
      readonly kind: "add";
      readonly x: Slot;
      readonly out: Slot;
      /** Absent: 1. */
      readonly factor?: number;
    }
  /**
   * out = f·x with f = factor·byPosition.factors[⌊position / byPosition.length⌋]; with a cap: out = cap·tanh(f·x / cap),
   * NaN stays NaN. out may be x.
   */
  | {
      readonly kind: "scale";
      readonly x: Slot;
      readonly out: Slot;
      readonly factor: number;
      /** Above 0; absent: none. */
      readonly cap?: number;
      /** Absent: 1 at every position. Rows of the step only. */
      readonly byPosition?: PositionFactors;
    }
  /** out = x */
  | { readonly kind: "copy"; readonly x: Slot; readonly out: Slot }
  /**
   * A part of each of `groups` equal groups of a row: out[g·n + i] = x[g·m + first + i] for i < n, where m = x width/groups
   * and n = out width/groups. out is another slot than x.
   */
  | {
      readonly kind: "part";
      readonly x: Slot;
      readonly out: Slot;
      readonly groups: number;
      readonly first: number;
    }
  /** out[o] = x[outputRow[o]]: from "step" rows to "outputs" rows. */
  | { readonly kind: "select"; readonly x: Slot; readonly out: Slot }
  /**
   * out[o] = index of the largest x, the lowest on a tie; as f32, exact below 2^24; −1 where an x is NaN or the largest
   * infinite. out width 1.
   */
  | { readonly kind: "argmax"; readonly x: Slot; readonly out: Slot }
  /**
   * out[o] = (index, value) of the k largest x, falling, the lower index first on a tie, NaN before all. out width 2·k;
   * indices as in argmax.
   */
  | { readonly kind: "top-k"; readonly x: Slot; readonly out: Slot };

export type OpKind = Op["kind"];

/** The op of a kind. */
export type OpOf<Kind extends OpKind> = Extract<Op, { readonly kind: Kind }>;
