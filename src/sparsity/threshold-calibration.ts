/**
 * Thresholds for target sparsities: quantiles of each layer's scores over the calibration text, so that every layer
 * skips the same share of its neurons. Gate score |act(g)|: CATS (2404.08763). Output score |h|·‖down row‖.
 */
import type { FfnShape, LayerSamples } from "./ffn-samples.ts";
import type { ThresholdScore, ThresholdTable } from "./sidecar.ts";
import { MagnitudeHistogram } from "./threshold-histogram.ts";

export interface ThresholdScores {
  readonly shape: FfnShape;
  /** act of the model's FFN. */
  readonly activate: (x: number) => number;
  /** ‖down row‖ of each neuron, by layer. */
  readonly downNorms: readonly Float32Array[];
}

/** The gate alone decides only where h = act(g)·u. */
export function thresholdScoresOf(shape: FfnShape): readonly ThresholdScore[] {
  return shape.gating === "gated" ? ["gate", "output"] : ["output"];
}

/** Points of the curves sparsity → perplexity and sparsity → bytes. */
export const calibratedSparsities: readonly number[] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8];

export class ThresholdCalibration {
  readonly #scores: ThresholdScores;
  readonly #histograms: ReadonlyMap<ThresholdScore, readonly MagnitudeHistogram[]>;

  constructor(scores: ThresholdScores) {
    this.#scores = scores;
    const { neurons } = scores.shape;
    this.#histograms = new Map(
      thresholdScoresOf(scores.shape).map((score) => [
        score,
        neurons.map(() => new MagnitudeHistogram()),
      ]),
    );
  }

  offer({ layer, gate, h }: LayerSamples): void {
    const { activate, downNorms } = this.#scores;
    const gateHistogram = this.#histograms.get("gate")?.[layer];
    if (gateHistogram !== undefined && gate !== undefined) gateHistogram.add(gate.map(activate));
    const norms = downNorms[layer];
    if (norms === undefined) return;
    const weighted = h.map((value, at) => value * (norms[at % norms.length] ?? 0));
    this.#histograms.get("output")?.[layer]?.add(weighted);
  }

  table(score: ThresholdScore, sparsity: number): ThresholdTable {
    const values = this.#histograms.get(score)?.map((layer) => layer.quantile(sparsity)) ?? [];
    return { score, sparsity, values };
  }

  /** A table for each score and each of these sparsities. */
  tables(sparsities: readonly number[]): readonly ThresholdTable[] {
    return thresholdScoresOf(this.#scores.shape).flatMap((score) =>
      sparsities.map((sparsity) => this.table(score, sparsity)),
    );
  }
}
