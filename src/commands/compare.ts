/** A model beside its dense self over the same text: what a sparse method or a device does to its predictions. */

import { openModelFile } from "../engine/open.ts";
import { type SparsityReport, sparsityReport } from "../engine/sparsity-report.ts";
import { type Comparison, compareSessions } from "./evaluation/compare.ts";
import {
  checkPerplexityOptions,
  engineOptionsOf,
  type PerplexityOptions,
  type PerplexitySource,
  prepareText,
} from "./perplexity.ts";
import { denseReference } from "./reference.ts";

export interface ComparisonResult extends Comparison {
  /** What the candidate's feed-forward blocks did. */
  readonly sparsity: SparsityReport;
  readonly candidateDevice: string;
  readonly referenceDevice: string;
  /** As of an engine, of the candidate. */
  readonly notices: readonly string[];
  readonly details: readonly string[];
}

/** The model with these options, and dense on the processor; both are open at once. @throws as perplexity. */
export async function compareWithDense(
  path: string,
  source: PerplexitySource,
  options: PerplexityOptions = {},
): Promise<ComparisonResult> {
  checkPerplexityOptions(options);
  const engineOptions = engineOptionsOf(options);
  const candidate = await openModelFile(path, engineOptions, "per row");
  try {
    const reference = await openModelFile(path, denseReference(engineOptions), "per row");
    try {
      const { ids, windows } = prepareText(candidate, source, options);
      const sessions = { candidate: candidate.session, reference: reference.session };
      return {
        ...(await compareSessions(sessions, ids, windows)),
        sparsity: sparsityReport(candidate, "all"),
        candidateDevice: candidate.backend.description,
        referenceDevice: reference.backend.description,
        notices: candidate.notices,
        details: candidate.details,
      };
    } finally {
      reference[Symbol.dispose]();
    }
  } finally {
    candidate[Symbol.dispose]();
  }
}
