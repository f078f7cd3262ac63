/** What stands first on the page: what failed, the kernel that is furthest from the card's bandwidth, the worst prediction. */
import type { Measure, ProofResult } from "./result.ts";

/** A product's share of what the card copies, read and written together. */
export interface KernelShare {
  readonly measure: Measure;
  readonly share: number;
}

/** Measures of the name that section `copy` gives the card's own copy. */
export const copyName = "copy, read and written";

export function copyRate({ sections }: Pick<ProofResult, "sections">): number | undefined {
  const measures = sections.flatMap((section) => section.measures);
  return measures.find(({ name }) => name === copyName)?.value;
}

function kernelShares(result: Pick<ProofResult, "sections">): readonly KernelShare[] {
  const copy = copyRate(result);
  if (copy === undefined) return [];
  return measuresAgainst(result, "copy").map((measure) => ({
    measure,
    share: measure.value / copy,
  }));
}

/** Of the kernels with a target the one that falls shortest of it; undefined without a copy to compare with. */
export function worstKernel(result: Pick<ProofResult, "sections">): KernelShare | undefined {
  const ofTarget = ({ measure: { against }, share }: KernelShare): number =>
    share / (against?.kind === "copy" ? (against.target ?? 1) : 1);
  return kernelShares(result).toSorted((a, b) => ofTarget(a) - ofTarget(b))[0];
}

/** Measured over predicted. */
export function predictionRatio({ value, against }: Measure): number | undefined {
  return against?.kind === "prediction" ? value / against.value : undefined;
}

/** The one whose ratio is furthest from 1, on either side. */
export function worstPrediction(result: Pick<ProofResult, "sections">): Measure | undefined {
  const distance = (measure: Measure): number => Math.abs(Math.log(predictionRatio(measure) ?? 1));
  return measuresAgainst(result, "prediction").toSorted((a, b) => distance(b) - distance(a))[0];
}

function measuresAgainst(
  { sections }: Pick<ProofResult, "sections">,
  kind: "copy" | "prediction",
): readonly Measure[] {
  return sections.flatMap(({ measures }) =>
    measures.filter(({ against }) => against?.kind === kind),
  );
}
