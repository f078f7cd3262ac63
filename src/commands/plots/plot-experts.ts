/** Which experts were chosen, as a picture (SVG): of each layer, and dashed of a router that chooses all alike. */
import { type ActivationCurve, cumulativeShares } from "../../sparsity/activation-curve.ts";
import { type ExpertUse, uniformUse } from "../../sparsity/expert-profile.ts";
import { type CurveTexts, plotCurves } from "./plot-profile.ts";

/** `layers`: those with experts, of which at least one. */
export function plotExperts(
  layers: readonly ExpertUse[],
  source: { readonly model: string },
): string {
  const tokens = layers[0]?.tokens ?? 0;
  const texts: CurveTexts = {
    title: "Which experts are chosen",
    subtitle: `${source.model}, ${tokens} tokens; dashed: a router that chooses all alike`,
    x: "experts, most used first",
    y: "choices they make",
    legend: "experts for 80 %",
    marked: "of experts make",
  };
  return plotCurves({
    layers: layers.map((use) => ({
      name: `layer ${use.layer}`,
      shares: cumulativeShares(use.counts),
    })),
    ...(layers.length > 0 && { model: curveOf("all layers", layers) }),
    ...(layers.length > 0 && { dashed: curveOf("all alike", layers.map(uniformUse)) }),
    texts,
  });
}

/** Of the experts of all layers together, each as often as among its layer's. */
function curveOf(name: string, layers: readonly ExpertUse[]): ActivationCurve {
  const frequencies = layers.flatMap(({ counts, tokens }) =>
    Array.from(counts, (count) => count / Math.max(1, tokens)),
  );
  return { name, shares: cumulativeShares(Float64Array.from(frequencies)) };
}
