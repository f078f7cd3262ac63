/**
 * The conformance suite: what every backend must give for every op, compared with the reference within derived bounds.
 * A backend's test calls runConformance; a case it cannot run is skipped by name, with a reason.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend, Executable } from "./backend.ts";
import { conformanceCases, expectationOf } from "./conformance/all-cases.ts";
import type { CaseAction, ConformanceCase, Gap } from "./conformance/case.ts";
import { smallRingModel } from "./conformance/cases-attention-layers.ts";
import { smallStateModel, span } from "./conformance/cases-recurrent.ts";
import { checkCase } from "./conformance/check-case.ts";
import { type Arithmetic, integerArithmetic } from "./tolerance.ts";

export interface ConformanceOptions {
  /** Cases that the backend cannot run, and why. */
  readonly skip?: readonly Gap[];
  /** Default: conformanceCases(). */
  readonly cases?: readonly ConformanceCase[];
  /** What the backend declares of its arithmetic; default: integerArithmetic. */
  readonly arithmetic?: Arithmetic;
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

    it("refuses a row that does not follow the state of its sequence", async () => {
      const { program, run } = smallStateModel();
      using executable = await backend.compile(program);
      const rowsFrom = (position: number, count: number): Promise<void> =>
        perform(executable, run(span(0, position, count)));
      await rowsFrom(0, 3);
      await expect(rowsFrom(2, 1)).rejects.toThrow(/position 2.*behind 3 positions/);
      await expect(executable.restoreState(0, 0)).rejects.toThrow(/nothing was saved/);
      await rowsFrom(3, 1);
    });

    it("refuses a row that sees positions which its ring no longer holds", async () => {
      const { program, run } = smallRingModel();
      using executable = await backend.compile(program);
      const rowsFrom = (position: number, count: number): Promise<void> =>
        perform(executable, run(span(0, position, count)));
      for (let at = 0; at < 96; at += 24) await rowsFrom(at, 24);
      await expect(rowsFrom(70, 1)).rejects.toThrow(/position 70.*rows from 71 to 96/);
      await rowsFrom(71, 24);
      await expect(rowsFrom(97, 1)).rejects.toThrow(/position 97.*rows from 71 to 96/);
    });
  });
}

/** The writes and the run of one step. */
async function perform(executable: Executable, actions: readonly CaseAction[]): Promise<void> {
  for (const action of actions) {
    if (action.kind === "write") executable.write(action.slot, action.data);
    if (action.kind === "run") await executable.run(action.segment, action.step);
  }
}
