/**
 * The conformance suite: what every backend must give for every op, compared with the reference within derived bounds.
 * A backend's test calls runConformance; a case it cannot run is skipped by name, with a reason.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "./backend.ts";
import type { CaseScript, ConformanceCase } from "./conformance/case.ts";
import { attentionCases } from "./conformance/cases-attention.ts";
import { channelCases } from "./conformance/cases-channels.ts";
import { ffnCases } from "./conformance/cases-ffn.ts";
import { maskCases } from "./conformance/cases-mask.ts";
import { programCases } from "./conformance/cases-program.ts";
import { rowCases } from "./conformance/cases-rows.ts";
import { scaleCase } from "./conformance/cases-scale.ts";
import { type CaseExpectation, checkCase, expectCase } from "./conformance/check-case.ts";
import { type Arithmetic, integerArithmetic } from "./tolerance.ts";

export interface ConformanceOptions {
  /** Cases that the backend cannot run, and why. */
  readonly skip?: readonly ConformanceSkip[];
  /** Default: conformanceCases(). */
  readonly cases?: readonly ConformanceCase[];
  /** What the backend declares of its arithmetic; default: integerArithmetic. */
  readonly arithmetic?: Arithmetic;
}

interface ConformanceSkip {
  readonly reason: string;
  readonly cases: (candidate: ConformanceCase) => boolean;
}

export function conformanceCases(): readonly ConformanceCase[] {
  return cases;
}

/**
 * For a second driver that takes minutes to compile all of them: of the cases about weights, attention or blocks those
 * that show an op with a weight type, a method with a layout of its down projection, or an op with a cache type for
 * the first time; of the others all.
 */
export function conformanceSample(): readonly ConformanceCase[] {
  const shown = new Set<string>();
  return cases.filter(({ traits: { op, weightType, method, downLayout, kvType } }) => {
    const shows = [
      ...(weightType === undefined ? [] : [`${op} ${weightType}`]),
      ...(method === undefined ? [] : [`${op} ${method} ${downLayout}`]),
      ...(kvType === undefined ? [] : [`${op} ${kvType}`]),
    ].filter((trait) => !shown.has(trait));
    for (const trait of shows) shown.add(trait);
    const isPlain = weightType === undefined && method === undefined && kvType === undefined;
    return isPlain || shows.length > 0;
  });
}

/** Registers one test for each case. The backend is made once, before the first, and disposed after the last. */
export function runConformance(
  createBackend: () => Backend | Promise<Backend>,
  {
    skip = [],
    cases: wanted = conformanceCases(),
    arithmetic = integerArithmetic,
  }: ConformanceOptions = {},
): void {
  describe("conformance", () => {
    let backend: Backend;
    beforeAll(async () => {
      backend = await createBackend();
    });
    afterAll(() => backend[Symbol.dispose]());

    for (const candidate of wanted) {
      const skipped = skip.find((group) => group.cases(candidate));
      const name = skipped === undefined ? candidate.name : `${candidate.name} (${skipped.reason})`;
      it.skipIf(skipped !== undefined)(name, async () => {
        const script = candidate.build();
        const expected = await expectationOf(script, arithmetic);
        const { problems, compared } = await checkCase(backend, script, expected);
        expect(problems).toEqual([]);
        expect(compared).toBeGreaterThan(0);
      });
    }
  });
}

/** Scripts and expectations are kept: a backend is tested many times, with other threads or instruction sets. */
const cases: readonly ConformanceCase[] = [
  ...rowCases(),
  ...attentionCases(),
  ...ffnCases(),
  ...maskCases(),
  scaleCase(),
  ...channelCases(),
  ...programCases(),
].map((candidate) => {
  let script: CaseScript | undefined;
  return {
    ...candidate,
    build: () => {
      script ??= candidate.build();
      return script;
    },
  };
});

/** expectCase, computed once for each script and arithmetic. */
export const expectationOf: typeof expectCase = keptExpectations();

function keptExpectations(): typeof expectCase {
  const kept = new WeakMap<CaseScript, Map<Arithmetic, Promise<CaseExpectation>>>();
  return (script, arithmetic) => {
    const known = kept.get(script) ?? new Map<Arithmetic, Promise<CaseExpectation>>();
    kept.set(script, known);
    const expectation = known.get(arithmetic) ?? expectCase(script, arithmetic);
    known.set(arithmetic, expectation);
    return expectation;
  };
}
