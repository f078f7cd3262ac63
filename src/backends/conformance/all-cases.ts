/**
 * All conformance cases, a sample of them, and what a correct backend gives for each. Plain code: a test registers them with vitest
 * (conformance.ts), `npm run prove:gpu` runs them on a card without it.
 */
import type { Arithmetic } from "../tolerance.ts";
import type { CaseScript, ConformanceCase } from "./case.ts";
import { attentionCases } from "./cases-attention.ts";
import { attentionLayerCases } from "./cases-attention-layers.ts";
import { channelCases } from "./cases-channels.ts";
import { expertCases } from "./cases-experts.ts";
import { ffnCases } from "./cases-ffn.ts";
import { maskCases } from "./cases-mask.ts";
import { predictCases } from "./cases-predict.ts";
import { programCases } from "./cases-program.ts";
import { recurrentCases } from "./cases-recurrent.ts";
import { routeCases } from "./cases-routes.ts";
import { rowCases } from "./cases-rows.ts";
import { scaleCase } from "./cases-scale.ts";
import { type CaseExpectation, expectCase } from "./check-case.ts";

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

/** Scripts and expectations are kept: a backend is tested many times, with other threads or instruction sets. */
const cases: readonly ConformanceCase[] = [
  ...rowCases(),
  ...attentionCases(),
  ...attentionLayerCases(),
  ...recurrentCases(),
  ...ffnCases(),
  ...predictCases(),
  ...routeCases(),
  ...expertCases(),
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
