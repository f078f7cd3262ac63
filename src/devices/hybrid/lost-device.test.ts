/** A hybrid step on a device that is lost at any of its runs: one error, and no rejection that nobody handles. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { hot, placementOf } from "../../../test/fixtures/placements.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import type { Backend, Executable } from "../../backends/backend.ts";
import { ForwardingExecutable } from "../../backends/forwarding-executable.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { DeviceError } from "../../core/errors.ts";
import { openGguf } from "../../gguf/open.ts";
import { buildProgram } from "../../model/build-program.ts";
import { openModel } from "../../model/model.ts";
import { createStep, type Step } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";

const file = await makeTinyModel();
const model = openModel(openGguf(file.path));
afterAll(() => file[Symbol.dispose]());

const { program } = buildProgram(model, {
  contextLength: 48,
  sequences: 1,
  maxRows: 1,
  maxOutputs: 1,
  kvType: "f32",
  output: "logits",
});
const lost = new DeviceError("the card was lost");
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lost at its `at`-th run: that one and all later ones reject, `turns` of the event loop after they were asked for. */
class Losing extends ForwardingExecutable {
  runs = 0;
  readonly #at: number;
  readonly #turns: number;

  constructor(inner: Executable, at: number, turns: number) {
    super(inner);
    this.#at = at;
    this.#turns = turns;
  }

  override async run(segment: number, step: Step): Promise<void> {
    this.runs++;
    if (this.runs < this.#at) return this.inner.run(segment, step);
    for (let i = 0; i < this.#turns; i++) await turn();
    throw lost;
  }

  override async finished(): Promise<void> {
    if (this.runs >= this.#at) throw lost;
  }
}

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", note);
});
afterEach(() => void process.off("unhandledRejection", note));

/** Steps of one token until one fails: the runs of the losing device, and what that step failed with. */
async function runUntilLost(
  losing: "gpu" | "cpu",
  options: { readonly at: number; readonly turns: number; readonly timeline: boolean },
): Promise<{ readonly runs: number; readonly error: unknown }> {
  const { at, turns, timeline } = options;
  let device: Losing | undefined;
  const reference = createReferenceBackend();
  const failing: Backend = {
    ...reference,
    compile: async (...asked) => {
      device = new Losing(await reference.compile(...asked), at, turns);
      return device;
    },
  };
  const backends = { gpu: reference, cpu: reference, [losing]: failing };
  const placement = placementOf(model, [hot(0.5), hot(0.5)], "gpu");
  using hybrid = createHybridBackend({ ...backends, placement, timeline });
  using executable = await hybrid.compile(program);
  const step = createStep(1, 1);
  step.rowCount = 1;
  step.outputCount = 1;
  step.answerRows = 1;
  for (let position = 0; position < 48; position++) {
    step.position[0] = position;
    step.token[0] = position;
    try {
      await executable.run(0, step);
    } catch (error) {
      await turn();
      return { runs: device?.runs ?? 0, error };
    }
  }
  throw new Error("no step failed");
}

describe.each(["gpu", "cpu"] as const)("a lost %s", (losing) => {
  it.each([
    [0, false],
    [2, false],
    [0, true],
    [2, true],
  ])(
    "at any run from 1 to 40 is one error: %i turns later, timeline %s",
    async (turns, timeline) => {
      for (let at = 1; at <= 40; at++) {
        const { runs, error } = await runUntilLost(losing, { at, turns, timeline });
        expect(error).toBe(lost);
        expect(runs).toBeGreaterThanOrEqual(at);
      }
      expect(unhandled).toEqual([]);
    },
  );
});
