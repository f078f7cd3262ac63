/**
 * The tensors of a synthetic model and what stands in them.
 *
 * How `--active` holds. The residual x has 64 constant channels, 32 at +s and 32 at -s (s: its scale): the embedding
 * sets them, attn_output and ffn_down never write there. The row of the gate (of up, if ungated) reads them with
 * -a and +a and everything else at random, so its pre-activation is proportional to N(0, 1) · sigma · |rest of x| -
 * 64·a·s: the norm scales both alike, and a = t · sigma · |rest| / (64·s) makes neuron r fire with the probability
 * that belongs to its t. |rest| grows from layer to layer by amounts that the scales of attn_output and ffn_down fix.
 * How the predictor knows. With a rank, gate rows are sums of four latent directions P: fc1 = [constant; P; -P] and
 * fc2 = [-64·a·s; C; -C] give fc2·relu(fc1·x) = C·P·x - 64·a·s, which has the sign of the pre-activation.
 */
import { tensorType } from "../../src/core/dtype.ts";
import { createRandom } from "../../src/core/random.ts";
import type { TensorToWrite } from "../../src/gguf/write.ts";
import type { ArrangedOptions, MakeModelOptions } from "./options.ts";
import { recipeTensors } from "./recipe-tensors.ts";
import { type Content, type Matrix, matrixBytes } from "./rows.ts";
import {
  constantChannels,
  fillConstants,
  layerSparsity,
  type Scales,
  scalesOf,
} from "./sparsity.ts";
import { seedOf, typeFor } from "./tensor-values.ts";

/** What an architecture has beside the common tensors. */
interface Extras {
  readonly qkvBias: boolean;
  readonly otherBiases: boolean;
  readonly headNorms: boolean;
}

const noExtras: Extras = { qkvBias: false, otherBiases: false, headNorms: false };
const extras: Readonly<Record<string, Extras>> = {
  opt: { ...noExtras, qkvBias: true, otherBiases: true },
  qwen2: { ...noExtras, qkvBias: true },
  qwen3: { ...noExtras, headNorms: true },
};

export function modelTensors(options: MakeModelOptions): readonly TensorToWrite[] {
  return options.kind === "recipe" ? recipeTensors(options) : arrangedTensors(options);
}

function arrangedTensors(options: ArrangedOptions): readonly TensorToWrite[] {
  const scales = scalesOf(options);
  const maker = new TensorMaker(options, scales);
  maker.embeddings();
  for (let layer = 0; layer < options.layers; layer++) maker.layer(layer);
  maker.output();
  return maker.tensors;
}

class TensorMaker {
  readonly tensors: TensorToWrite[] = [];
  readonly #options: ArrangedOptions;
  readonly #scales: Scales;
  readonly #extras: Extras;
  readonly #isSparse: boolean;

  constructor(options: ArrangedOptions, scales: Scales) {
    this.#options = options;
    this.#scales = scales;
    this.#extras = extras[options.architecture.name] ?? noExtras;
    this.#isSparse = options.active !== undefined;
  }

  embeddings(): void {
    const { architecture, vocabulary, dim, context } = this.#options;
    const { token, position } = this.#scales;
    const isLearned = architecture.positions.kind === "learned";
    this.#matrix("token_embd.weight", [vocabulary, dim], this.#residualRows(token, !isLearned));
    if (architecture.positions.kind !== "learned") return;
    const rows = context + architecture.positions.offset;
    const type = tensorType(this.#options.type).blockElements === 1 ? this.#options.type : "F16";
    const content = this.#residualRows(position, true);
    this.#add("position_embd.weight", { type, rows, columns: dim, content });
  }

  layer(index: number): void {
    const { architecture, kvHeads } = this.#options;
    const prefix = `blk.${index}.`;
    const isFalcon = architecture.parallelResidual;
    const hasTwoNorms = !isFalcon || kvHeads > 1;
    this.#norm(`${prefix}attn_norm`);
    if (hasTwoNorms) this.#norm(isFalcon ? `${prefix}attn_norm_2` : `${prefix}ffn_norm`);
    this.#attention(prefix);
    this.#ffn(prefix, index);
  }

  output(): void {
    const { architecture, vocabulary, dim } = this.#options;
    this.#norm("output_norm");
    if (architecture.name === "opt") return;
    // Logits of standard deviation 2: neither flat nor decided by one token.
    this.#matrix("output.weight", [vocabulary, dim], this.#reading(2 / Math.sqrt(dim)));
  }

  #attention(prefix: string): void {
    const { architecture, dim, heads, kvHeads } = this.#options;
    const { qkvBias, otherBiases, headNorms } = this.#extras;
    const headDim = dim / heads;
    const rows = { q: dim, k: kvHeads * headDim, v: kvHeads * headDim };
    const content = this.#reading(1 / Math.sqrt(dim));
    if (architecture.parallelResidual) {
      this.#matrix(`${prefix}attn_qkv.weight`, [rows.q + rows.k + rows.v, dim], content);
    } else {
      for (const [name, count] of Object.entries(rows)) {
        this.#matrix(`${prefix}attn_${name}.weight`, [count, dim], content);
        if (qkvBias) this.#vector(`${prefix}attn_${name}.bias`, count, { mean: 0, sigma: 0.05 });
      }
    }
    this.#matrix(`${prefix}attn_output.weight`, [dim, dim], {
      kind: "random",
      sigma: this.#scales.attentionOutput,
      zeroRows: this.#isSparse ? constantChannels : 0,
    });
    if (otherBiases) this.#vector(`${prefix}attn_output.bias`, dim, this.#residualBias());
    if (!headNorms) return;
    this.#vector(`${prefix}attn_q_norm.weight`, headDim, { mean: 1, sigma: 0.05 });
    this.#vector(`${prefix}attn_k_norm.weight`, headDim, { mean: 1, sigma: 0.05 });
  }

  #ffn(prefix: string, index: number): void {
    const { architecture, dim, ffn, active } = this.#options;
    const { otherBiases } = this.#extras;
    const plain = this.#reading(1 / Math.sqrt(dim));
    const sparsity =
      active === undefined
        ? undefined
        : layerSparsity({ ...this.#options, active }, this.#scales, index);
    const firing = sparsity?.firingRows ?? plain;
    const { gating } = architecture;
    if (gating !== "ungated") this.#matrix(`${prefix}ffn_gate.weight`, [ffn, dim], firing);
    this.#matrix(`${prefix}ffn_up.weight`, [ffn, dim], gating === "gated" ? plain : firing);
    if (otherBiases) this.#vector(`${prefix}ffn_up.bias`, ffn, this.#residualBias());
    this.#down(prefix);
    if (sparsity?.predictor === undefined) return;
    const { predictorRank: rank = 0 } = this.#options;
    this.#matrix(`${prefix}fc1.weight`, [rank, dim], sparsity.predictor.fc1);
    this.#matrix(`${prefix}fc2.weight`, [ffn, rank], sparsity.predictor.fc2);
  }

  #down(prefix: string): void {
    const { dim, ffn, powerinfer } = this.#options;
    const name = powerinfer ? `${prefix}ffn_down_t` : `${prefix}ffn_down`;
    const sigma = this.#scales.down;
    const zeroRows = this.#isSparse ? constantChannels : 0;
    if (powerinfer) this.#matrix(`${name}.weight`, [ffn, dim], this.#reading(sigma));
    else this.#matrix(`${name}.weight`, [dim, ffn], { kind: "random", sigma, zeroRows });
    if (this.#extras.otherBiases) this.#vector(`${name}.bias`, dim, this.#residualBias());
  }

  /** Rows that are added to the residual at its start. */
  #residualRows(sigma: number, holdsConstants: boolean): Content {
    if (!this.#isSparse) return { kind: "random", sigma };
    const value = holdsConstants ? 1 : 0;
    const prefix = (_: number, target: Float32Array): void => fillConstants(target, value);
    return { kind: "prefixed", sigma, prefixColumns: constantChannels, prefix };
  }

  /** Rows that read the residual, or are added to it, and leave the constant channels alone. */
  #reading(sigma: number): Content {
    if (!this.#isSparse) return { kind: "random", sigma };
    const prefix = (_: number, target: Float32Array): void => void target.fill(0);
    return { kind: "prefixed", sigma, prefixColumns: constantChannels, prefix };
  }

  /** The construction needs a norm that scales all channels alike and adds nothing. */
  #norm(name: string): void {
    const { architecture, dim } = this.#options;
    this.#vector(`${name}.weight`, dim, { mean: 1, sigma: this.#isSparse ? 0 : 0.05 });
    if (architecture.norm === "layer") this.#vector(`${name}.bias`, dim, this.#residualBias());
  }

  /** A bias that would move what a firing row reads. */
  #residualBias(): { readonly mean: number; readonly sigma: number } {
    return { mean: 0, sigma: this.#isSparse ? 0 : 0.02 };
  }

  #matrix(name: string, shape: readonly [number, number], content: Content): void {
    const [rows, columns] = shape;
    const type = typeFor(this.#options.type, columns);
    this.#add(name, { type, rows, columns, content });
  }

  #vector(name: string, columns: number, values: { mean: number; sigma: number }): void {
    const { mean, sigma } = values;
    const random = createRandom(seedOf(this.#options.seed, name));
    const fill = (_: number, target: Float32Array): void => {
      for (let index = 0; index < target.length; index++) {
        target[index] = mean + sigma * random.normal();
      }
    };
    this.#add(name, { type: "F32", rows: 1, columns, content: { kind: "computed", fill } });
  }

  #add(name: string, matrix: Omit<Matrix, "seed">): void {
    const { type, rows, columns } = matrix;
    const seed = seedOf(this.#options.seed, name);
    const dimensions = rows === 1 ? [columns] : [columns, rows];
    this.tensors.push({ name, type, dimensions, data: () => matrixBytes({ ...matrix, seed }) });
  }
}
