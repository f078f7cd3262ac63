/**
 * Thresholds for target shares: quantiles of each layer's scores over the calibration text, so that every layer skips
 * the same share. Gate score |act(g)|: CATS (2404.08763). Output score |h|·‖down row‖, and of the inputs of all other
 * matrices |x_j|·‖column j‖: WINA (2505.19427).
 */

import type {
  ColumnNorms,
  InputThresholds,
  NeuronThresholds,
  PerPlace,
  ThresholdTable,
} from "../../sparsity/sidecar/sidecar.ts";
import type { FfnShape, LayerSamples } from "../ffn-samples.ts";
import { MagnitudeHistogram } from "./threshold-histogram.ts";

export interface ThresholdScores {
  readonly shape: FfnShape;
  /** act of the model's FFN. */
  readonly activate: (x: number) => number;
  /** ‖down row‖ of each neuron, by layer. */
  readonly downNorms: readonly Float32Array[];
  /** Of the matrices that read a layer's inputs, by layer. */
  readonly columnNorms: readonly ColumnNorms[];
}

type NeuronScore = NeuronThresholds["score"];

/** The gate alone decides only where h = act(g)·u. */
export function neuronScoresOf(shape: FfnShape): readonly NeuronScore[] {
  return shape.gating === "gated" ? ["gate", "output"] : ["output"];
}

/** Points of the curves sparsity → perplexity and sparsity → bytes. */
export const calibratedSparsities: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

/**
 * Shares of inputs of attention's matrices, of gate and up, and of neurons by their output score: those that cost least
 * for their bytes where a small model is gentle with them, then wider steps for larger ones (decision 0007).
 */
export const calibratedPoints: readonly PerPlace[] = [
  [0.15, 0.1, 0.2],
  [0.15, 0.1, 0.3],
  [0.15, 0.15, 0.3],
  [0.2, 0.2, 0.4],
  [0.3, 0.25, 0.4],
  [0.3, 0.3, 0.5],
  [0.4, 0.4, 0.5],
  [0.5, 0.5, 0.6],
].map(([attention = 0, ffn = 0, output = 0]) => ({
  attention,
  attentionOutput: attention,
  ffn,
  output,
}));

/** What one layer's values are quantiles of. */
type LayerHistograms = Readonly<Record<"gate" | keyof PerPlace, MagnitudeHistogram>>;

export class ThresholdCalibration {
  readonly #scores: ThresholdScores;
  readonly #layers: readonly LayerHistograms[];

  constructor(scores: ThresholdScores) {
    this.#scores = scores;
    this.#layers = scores.shape.neurons.map(() => ({
      gate: new MagnitudeHistogram(),
      attention: new MagnitudeHistogram(),
      attentionOutput: new MagnitudeHistogram(),
      ffn: new MagnitudeHistogram(),
      output: new MagnitudeHistogram(),
    }));
  }

  offer({ layer, gate, h, normed, attentionInput, attentionOutput }: LayerSamples): void {
    const { activate, downNorms, columnNorms } = this.#scores;
    const histograms = this.#layers[layer];
    const columns = columnNorms[layer];
    const rows = downNorms[layer];
    if (histograms === undefined || columns === undefined || rows === undefined) return;
    if (gate !== undefined) histograms.gate.add(gate.map(activate));
    histograms.output.add(weighted(h, rows));
    histograms.attention.add(weighted(attentionInput, columns.attention));
    histograms.attentionOutput.add(weighted(attentionOutput, columns.attentionOutput));
    histograms.ffn.add(weighted(normed, columns.ffn));
  }

  neuronTable(score: NeuronScore, sparsity: number): NeuronThresholds {
    const values = this.#layers.map((layer) => layer[score].quantile(sparsity));
    return { score, sparsity, values };
  }

  inputTable(shares: PerPlace): InputThresholds {
    const values = this.#layers.map((layer) => ({
      attention: layer.attention.quantile(shares.attention),
      attentionOutput: layer.attentionOutput.quantile(shares.attentionOutput),
      ffn: layer.ffn.quantile(shares.ffn),
      output: layer.output.quantile(shares.output),
    }));
    return { score: "input", shares, values };
  }

  /** A table for each score of neurons and each of these sparsities, then one for each of the points. */
  tables(sparsities: readonly number[], points: readonly PerPlace[]): readonly ThresholdTable[] {
    const ofNeurons = neuronScoresOf(this.#scores.shape).flatMap((score) =>
      sparsities.map((sparsity) => this.neuronTable(score, sparsity)),
    );
    return [...ofNeurons, ...points.map((shares) => this.inputTable(shares))];
  }
}

/** Rows of x, each value times its column's norm. */
function weighted(x: Float32Array, norms: Float32Array): Float32Array {
  return x.map((value, at) => value * (norms[at % norms.length] ?? 0));
}
