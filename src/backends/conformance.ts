/**
 * The conformance suite: what every backend must give for every op, compared with the reference within derived bounds.
 * A backend's test calls runConformance; a case it cannot run is skipped by name, with a reason.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "./backend.ts";
import type { ConformanceCase } from "./conformance/case.ts";
import { attentionCases } from "./conformance/cases-attention.ts";
import { ffnCases } from "./conformance/cases-ffn.ts";
import { rowCases } from "./conformance/cases-rows.ts";
import { checkCase } from "./conformance/check-case.ts";
import { type Arithmetic, integerArithmetic } from "./tolerance.ts";

export interface ConformanceOptions {
  /** Cases that the backend cannot run, and why. */
  readonly skip?: readonly ConformanceSkip[];
  /** What the backend declares of its arithmetic; integerArithmetic unless told. */
  readonly arithmetic?: Arithmetic;
}

export interface ConformanceSkip {
  readonly reason: string;
  readonly cases: (candidate: ConformanceCase) => boolean;
}

export function conformanceCases(): readonly ConformanceCase[] {
  return [...rowCases(), ...attentionCases(), ...ffnCases()];
}

/** Registers one test for each case. The backend is made once, before the first, and disposed after the last. */
export function runConformance(
  createBackend: () => Backend | Promise<Backend>,
  { skip = [], arithmetic = integerArithmetic }: ConformanceOptions = {},
): void {
  describe("conformance", () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await createBackend();
    });
    afterAll(() => backend[Symbol.dispose]());

    for (const candidate of conformanceCases()) {
      const skipped = skip.find(({ cases }) => cases(candidate));
      const name = skipped === undefined ? candidate.name : `${candidate.name} (${skipped.reason})`;
      it.skipIf(skipped !== undefined)(name, async () => {
        const { problems, compared } = await checkCase(backend, candidate.build(), arithmetic);
        expect(problems).toEqual([]);
        expect(compared).toBeGreaterThan(0);
      });
    }
  });
}
