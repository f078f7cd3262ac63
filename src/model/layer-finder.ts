/**
 * Finds the weights of one layer under GGUF's names, so that an architecture file says only what it has and
 * where it differs. Every shape follows from the hyperparameters.
 */
import { UnsupportedError } from "../core/errors.ts";
import type { Activation, DownProjection, Gating, Weight } from "../ops/op.ts";
import { rowRange } from "../ops/row-range.ts";
import { channelsOf, type DeltaNetWeights } from "./delta-net.ts";
import { findMixture } from "./find-mixture.ts";
import { type AttentionShape, type Hyperparameters, headsOf } from "./hyperparameters.ts";
import type { MixtureTraits, MixtureWeights } from "./mixture.ts";
import { readFactor, readWeightScale, scalesAround } from "./weight-scales.ts";
import {
  type AttentionWeights,
  type BiasRule,
  elementRange,
  type FfnWeights,
  type LayerWeights,
  type Linear,
  type Norm,
  type Predictor,
  type WeightFinder,
} from "./weights.ts";

export class LayerFinder {
  readonly layer: number;
  readonly #finder: WeightFinder;
  readonly #shape: Hyperparameters;
  readonly #traits: LayerTraits;

  constructor(
    layer: number,
    source: {
      readonly finder: WeightFinder;
      readonly shape: Hyperparameters;
      readonly traits: LayerTraits;
    },
  ) {
    this.layer = layer;
    this.#finder = source.finder;
    this.#shape = source.shape;
    this.#traits = source.traits;
  }

  has(name: string): boolean {
    return this.#finder.has(this.#name(name));
  }

  /** `bias`: of a LayerNorm; an RMSNorm has none, unless the architecture says so. */
  norm(name: string, bias: BiasRule = "required"): Norm {
    return this.#norm(name, { width: this.#shape.dim, bias });
  }

  /** An RMSNorm whose weight stands as the scale of a matrix. */
  scaleNorm(name: string): Norm {
    const { dim, normEpsilon: epsilon } = this.#shape;
    return { form: "rms", weight: this.#finder.vector(this.#name(`${name}.scale`), dim), epsilon };
  }

  /** One score a head, of a position that has no value (gpt-oss). */
  sinks(): Weight {
    return this.#finder.vector(this.#name("attn_sinks.weight"), this.heads.heads);
  }

  /** Over the elements of one head's query or key. */
  headNorm(name: string): Norm {
    return this.#norm(name, { width: this.heads.keyWidth, bias: "required" });
  }

  /** Over all elements of q or of k. */
  projectionNorm(name: string, of: "q" | "k"): Norm {
    const { heads, kvHeads, keyWidth } = this.heads;
    const width = (of === "q" ? heads : kvHeads) * keyWidth;
    return this.#norm(name, { width, bias: "required" });
  }

  /** As attention, with a norm before attn_output, and with scales beside the matrices. */
  subNormedAttention(): AttentionWeights {
    const { q, k, v, output } = this.#projections("optional");
    const { heads, valueWidth } = this.heads;
    return {
      kind: "attention",
      q: this.#scaled("attn_q", q),
      k: this.#scaled("attn_k", k),
      v: this.#scaled("attn_v", v),
      output: this.#scaled("attn_output", output),
      mixedNorm: this.#norm("attn_sub_norm", { width: heads * valueWidth, bias: "required" }),
    };
  }

  /** As ffn, gated, with a norm before ffn_down, and with scales beside the matrices. */
  subNormedFfn(): FfnWeights {
    const scale = (name: string): number => readWeightScale(this.#finder, this.#name(name)) ?? 1;
    const scales = { gate: scale("ffn_gate"), up: scale("ffn_up"), down: scale("ffn_down") };
    const norm = this.#norm("ffn_sub_norm", { width: this.neurons, bias: "required" });
    const { around, hiddenNorm } = scalesAround(scales, norm);
    const plain = this.ffn();
    const hasBias = plain.gateBias ?? plain.up.bias ?? plain.downBias;
    if (hasBias !== undefined) {
      throw new UnsupportedError(`a bias beside a norm before ffn_down (${hasBias.name})`, [
        "matrices without biases",
      ]);
    }
    return { ...plain, hiddenNorm, scales: around };
  }

  #scaled(name: string, linear: Linear): Linear {
    const scale = readWeightScale(this.#finder, this.#name(name));
    return scale === undefined ? linear : { ...linear, scale };
  }

  /** attn_q, attn_k, attn_v, or the three as rows of one attn_qkv; attn_output. */
  attention(bias: BiasRule = "optional"): AttentionWeights {
    return { kind: "attention", ...this.#projections(bias) };
  }

  /** As attention, with norms of heads. */
  headNormedAttention(): AttentionWeights {
    return {
      ...this.attention(),
      qNorm: this.headNorm("attn_q_norm"),
      kNorm: this.headNorm("attn_k_norm"),
    };
  }

  /** As attention, with norms of heads, and with a gate behind the query of each head in the rows of attn_q. */
  gatedAttention(): AttentionWeights {
    const { dim } = this.#shape;
    const { heads, kvHeads, keyWidth, valueWidth } = this.heads;
    if (keyWidth !== valueWidth) {
      throw new UnsupportedError(
        `gated attention with keys of ${keyWidth} elements and values of ${valueWidth}`,
        ["keys as wide as values"],
      );
    }
    const find = (name: string, shape: { rows: number; columns: number }): Linear =>
      this.#finder.linear(this.#name(name), shape, "optional");
    return {
      kind: "attention",
      isGated: true,
      q: find("attn_q", { rows: 2 * heads * keyWidth, columns: dim }),
      k: find("attn_k", { rows: kvHeads * keyWidth, columns: dim }),
      v: find("attn_v", { rows: kvHeads * valueWidth, columns: dim }),
      output: find("attn_output", { rows: dim, columns: heads * valueWidth }),
      qNorm: this.headNorm("attn_q_norm"),
      kNorm: this.headNorm("attn_k_norm"),
    };
  }

  /**
   * As attention, with norms of heads, of values too. Without attn_v, values are what attn_k gives; a layer that reads
   * the keys and values of another has no use for those tensors.
   */
  valueNormedAttention(): AttentionWeights {
    const { dim, normEpsilon: epsilon } = this.#shape;
    const { heads, kvHeads, keyWidth, valueWidth, cacheOf } = this.heads;
    const find = (name: string, rows: number, columns = dim): Linear =>
      this.#finder.linear(this.#name(name), { rows, columns }, "optional");
    const queries = {
      kind: "attention",
      q: find("attn_q", heads * keyWidth),
      qNorm: this.headNorm("attn_q_norm"),
      output: find("attn_output", dim, heads * valueWidth),
    } as const;
    if (cacheOf !== undefined) {
      this.#finder.ignore(this.#name("attn_k"));
      this.#finder.ignore(this.#name("attn_v"));
      return queries;
    }
    const hasValues = keyWidth !== valueWidth || this.has("attn_v.weight");
    return {
      ...queries,
      k: find("attn_k", kvHeads * keyWidth),
      kNorm: this.headNorm("attn_k_norm"),
      ...(hasValues && { v: find("attn_v", kvHeads * valueWidth) }),
      vNorm: { epsilon },
    };
  }

  /** inp_gate, proj and post_norm, where layers have an embedding of their own. */
  layerInput(): Pick<LayerWeights, "input"> {
    const { dim, layerInputWidth: width } = this.#shape;
    if (width === undefined) return {};
    const find = (name: string, rows: number, columns: number): Linear => ({
      weight: this.#finder.matrix(this.#name(`${name}.weight`), { rows, columns }),
    });
    return {
      input: {
        gate: find("inp_gate", width, dim),
        projection: find("proj", dim, width),
        postNorm: this.norm("post_norm"),
      },
    };
  }

  /** layer_output_scale, where there is one. */
  outputScale(): Pick<LayerWeights, "outputScale"> {
    const outputScale = readFactor(this.#finder, this.#name("layer_output_scale.weight"));
    return outputScale === undefined ? {} : { outputScale };
  }

  get isRecurrent(): boolean {
    return this.#shape.deltaNets?.[this.layer] !== undefined;
  }

  /** attn_qkv, attn_gate and what llama.cpp names ssm_*; ssm_alpha and ssm_beta, or the two in one ssm_ba. */
  deltaNet(): DeltaNetWeights {
    const { dim } = this.#shape;
    const net = this.#shape.deltaNets?.[this.layer];
    if (net === undefined) throw new RangeError(`layer ${this.layer} has no delta net`);
    this.#refuseJoinedProjections();
    const { taps, heads, valueWidth } = net;
    const channels = channelsOf(net);
    const find = (name: string, rows: number, columns = dim): Linear => ({
      weight: this.#finder.matrix(this.#name(`${name}.weight`), { rows, columns }),
    });
    return {
      kind: "delta-net",
      qkv: find("attn_qkv", channels),
      gate: find("attn_gate", heads * valueWidth),
      gates: this.has("ssm_ba.weight")
        ? { kind: "fused", both: find("ssm_ba", 2 * heads) }
        : { kind: "apart", decay: find("ssm_alpha", heads), strength: find("ssm_beta", heads) },
      convolution: find("ssm_conv1d", channels, taps).weight,
      rate: this.#finder.vector(this.#name("ssm_a"), heads),
      bias: this.#finder.vector(this.#name("ssm_dt.bias"), heads),
      norm: this.#norm("ssm_norm", { width: valueWidth, bias: "required" }),
      output: find("ssm_out", dim, heads * valueWidth),
    };
  }

  /** The first files of Qwen3-Next have q, k, v and the gate of each key head in one matrix. */
  #refuseJoinedProjections(): void {
    if (!this.has("ssm_in.weight")) return;
    throw new UnsupportedError(
      `q, k, v and gates in one tensor (${this.#name("ssm_in.weight")})`,
      ["attn_qkv and attn_gate"],
      "Use a file of a newer converter",
    );
  }

  /** ffn_gate (unless ungated), ffn_up, ffn_down or the transposed ffn_down_t; fc1 and fc2 where they are. */
  ffn(bias: BiasRule = "optional"): FfnWeights {
    const { dim } = this.#shape;
    const neurons = this.neurons;
    const { gating, activation } = this.#traits;
    const rows = { rows: neurons, columns: dim };
    // No architecture demands it: models whose other biases are required have no gate.
    const gate =
      gating === "ungated"
        ? undefined
        : this.#finder.linear(this.#name("ffn_gate"), rows, "optional");
    const up = this.#finder.linear(this.#name("ffn_up"), rows, bias);
    const predictor = this.#predictor();
    return {
      kind: "block",
      gating,
      activation,
      neurons,
      ...(gate && { gate: gate.weight }),
      ...(gate?.bias && { gateBias: gate.bias }),
      up,
      ...this.#down(bias),
      ...(predictor !== undefined && { predictor }),
    };
  }

  /** Whether the layer has experts in place of its block. */
  get isMixture(): boolean {
    const { mixture } = this.#shape;
    return mixture !== undefined && this.layer >= mixture.denseLayers;
  }

  mixture(): MixtureWeights {
    const { dim, mixture } = this.#shape;
    if (mixture === undefined) throw new RangeError(`layer ${this.layer} has no experts`);
    const { gating, activation, mixture: traits = {} } = this.#traits;
    const place = { finder: this.#finder, layer: this.layer, dim };
    return findMixture({ ...place, mixture, gating, activation, traits });
  }

  get heads(): AttentionShape {
    return headsOf(this.#shape.attention, this.layer);
  }

  /** As ffn, with gate and up as the rows of one ffn_up, the gate first. */
  fusedFfn(): FfnWeights {
    const { dim } = this.#shape;
    const { neurons } = this;
    const { gating, activation } = this.#traits;
    const name = this.#name("ffn_up.weight");
    const both = this.#finder.matrix(name, { rows: 2 * neurons, columns: dim });
    const predictor = this.#predictor();
    return {
      kind: "block",
      gating,
      activation,
      neurons,
      gate: rowRange(both, 0, neurons),
      up: { weight: rowRange(both, neurons, neurons) },
      ...this.#down("optional"),
      ...(predictor !== undefined && { predictor }),
    };
  }

  get neurons(): number {
    return this.#shape.neurons[this.layer] ?? 0;
  }

  #norm(name: string, norm: { readonly width: number; readonly bias: BiasRule }): Norm {
    const { norm: form, hasNormBiases: hasBias } = this.#traits;
    const { normEpsilon: epsilon } = this.#shape;
    return this.#finder.norm(this.#name(name), { form, ...norm, epsilon, hasBias });
  }

  #projections(bias: BiasRule): Readonly<Record<"q" | "k" | "v" | "output", Linear>> {
    const { heads, valueWidth } = this.heads;
    const shape = { rows: this.#shape.dim, columns: heads * valueWidth };
    const output = this.#finder.linear(this.#name("attn_output"), shape, bias);
    const [q, k, v] = this.has("attn_qkv.weight") ? this.#fusedQkv(bias) : this.#separateQkv(bias);
    return { q, k, v, output };
  }

  #separateQkv(bias: BiasRule): readonly [Linear, Linear, Linear] {
    const { dim } = this.#shape;
    const { heads, kvHeads, keyWidth, valueWidth } = this.heads;
    const find = (name: string, rows: number): Linear =>
      this.#finder.linear(this.#name(name), { rows, columns: dim }, bias);
    return [
      find("attn_q", heads * keyWidth),
      find("attn_k", kvHeads * keyWidth),
      find("attn_v", kvHeads * valueWidth),
    ];
  }

  #fusedQkv(bias: BiasRule): readonly [Linear, Linear, Linear] {
    const { dim } = this.#shape;
    const { heads, kvHeads, keyWidth, valueWidth } = this.heads;
    const [q, k, v] = [heads * keyWidth, kvHeads * keyWidth, kvHeads * valueWidth];
    const shape = { rows: q + k + v, columns: dim };
    const fused = this.#finder.linear(this.#name("attn_qkv"), shape, bias);
    const part = (start: number, rows: number): Linear => ({
      weight: rowRange(fused.weight, start, rows),
      ...(fused.bias && { bias: elementRange(fused.bias, start, rows) }),
    });
    return [part(0, q), part(q, k), part(q + k, v)];
  }

  #down(bias: BiasRule): Pick<FfnWeights, "down" | "downBias"> {
    const { dim } = this.#shape;
    const transposed = !this.has("ffn_down.weight") && this.has("ffn_down_t.weight");
    const name = this.#name(transposed ? "ffn_down_t" : "ffn_down");
    const shape = transposed
      ? { rows: this.neurons, columns: dim }
      : { rows: dim, columns: this.neurons };
    const weight = this.#finder.matrix(`${name}.weight`, shape);
    const down: DownProjection = { layout: transposed ? "rows" : "columns", weight };
    const biasName = `${name}.bias`;
    if (bias === "optional" && !this.#finder.has(biasName)) return { down };
    return { down, downBias: this.#finder.vector(biasName, dim) };
  }

  #predictor(): Predictor | undefined {
    if (!this.has("fc1.weight")) return undefined;
    const fc1 = this.#finder.matrix(this.#name("fc1.weight"), { columns: this.#shape.dim });
    const shape = { rows: this.neurons, columns: fc1.rows };
    return { fc1, fc2: this.#finder.matrix(this.#name("fc2.weight"), shape) };
  }

  #name(name: string): string {
    return `blk.${this.layer}.${name}`;
  }
}

/** What of an architecture decides which weights a layer has. */
export interface LayerTraits {
  readonly norm: Norm["form"];
  readonly hasNormBiases?: true | undefined;
  readonly gating: Gating;
  readonly activation: Activation;
  /** Absent: it has no experts. */
  readonly mixture?: MixtureTraits | undefined;
}
