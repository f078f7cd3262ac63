/** What an answer must say is read in as few steps as there is room, and says what it says one by one; no model. */
import { describe, expect, it } from "vitest";
import { answering } from "../../test/fixtures/scripted-answer.ts";
import { outputSlots, scriptedModel, vocabulary } from "../../test/fixtures/scripted-model.ts";
import type { ActiveGeneration } from "./generation.ts";
import type { TokenConstraint } from "./sampling/constraint.ts";
import { Scheduler } from "./scheduler.ts";
import { Session } from "./session.ts";

/** "One of these ids, then one of those, …": where it is one alone, it is forced. */
class Stretches implements TokenConstraint {
  readonly #allowed: readonly (readonly number[])[];
  #at = 0;

  constructor(...allowed: readonly (readonly number[])[]) {
    this.#allowed = allowed;
  }

  mask(into: Uint32Array): void {
    into.fill(0);
    for (const id of this.#allowed[this.#at] ?? []) into[0] = (into[0] ?? 0) | (1 << id);
  }

  accept(token: number): boolean {
    if (this.#allowed[this.#at]?.includes(token) !== true) return false;
    this.#at++;
    return true;
  }

  forced(): readonly number[] {
    const rest = this.#allowed.slice(this.#at);
    const choice = rest.findIndex(({ length }) => length > 1);
    return rest.slice(0, choice < 0 ? rest.length : choice).flat();
  }

  rollback(tokens: number): void {
    this.#at -= tokens;
  }

  get isDone(): boolean {
    return this.#at >= this.#allowed.length;
  }
}

const all = Array.from({ length: vocabulary }, (_, id) => id);
/** Any token, then 3 2 1 0, then any, then 9 9. */
const form = (): TokenConstraint => new Stretches(all, [3], [2], [1], [0], all, [9], [9]);

type Model = Parameters<typeof scriptedModel>[0];

async function run(model: Model, make: () => readonly ActiveGeneration[]) {
  const scripted = scriptedModel(model);
  const session = await Session.open(scripted.backend, scripted.program, outputSlots);
  const scheduler = new Scheduler(session);
  const generations = make();
  for (const generation of generations) scheduler.submit(generation);
  const results = await Promise.all(generations.map(({ result }) => result));
  const { steps } = scripted;
  return {
    tokens: results.map(({ tokens }) => tokens),
    reasons: results.map(({ finishReason }) => finishReason),
    steps: steps.map(({ rows }) => rows),
    answers: steps.map(({ answers }) => answers),
  };
}

describe("tokens that must come", () => {
  const one = (options: Parameters<typeof answering>[1] = {}): readonly ActiveGeneration[] => [
    answering([4], { maxTokens: 20, constraint: form(), ...options }),
  ];

  it("are read in one step with the token before them, as rows of an answer", async () => {
    const wide = await run({ maxRows: 8 }, one);
    expect(wide.tokens).toEqual([[5, 3, 2, 1, 0, 1, 9, 9]]);
    expect(wide.reasons).toEqual(["stop"]);
    expect(wide.steps).toEqual([["0@0:4"], ["1@0:5", "2@0:3", "3@0:2", "4@0:1", "5@0:0"]]);
    expect(wide.answers).toEqual([0, 5]);
  });

  it.each([
    ["a step has room for one row", { maxRows: 1 }, {}],
    ["a step has room for three", { maxRows: 3 }, {}],
    ["scores are asked for", { maxRows: 8 }, { logprobs: 0 }],
  ])("are the same where %s", async (_, model, options) => {
    const { tokens, reasons, steps } = await run(model, () => one(options));
    expect([tokens, reasons]).toEqual([[[5, 3, 2, 1, 0, 1, 9, 9]], ["stop"]]);
    expect(steps.length).toBeGreaterThan(2);
  });

  it("end where the answer may have no more of them, or the context is full, as one by one", async () => {
    for (const maxRows of [1, 8]) {
      const short = await run({ maxRows }, () => one({ maxTokens: 3 }));
      expect([short.tokens, short.reasons]).toEqual([[[5, 3, 2]], ["length"]]);
      const stopped = await run({ maxRows }, () => one({ stop: ["2 1"] }));
      expect([stopped.tokens, stopped.reasons]).toEqual([[[5, 3, 2, 1]], ["stop"]]);
      const full = await run({ maxRows, contextLength: 4 }, one);
      expect([full.tokens, full.reasons]).toEqual([[[5, 3, 2, 1]], ["context"]]);
      const shifted = await run({ maxRows, contextLength: 4 }, () => one({ whenFull: "shift" }));
      expect([shifted.tokens, shifted.reasons]).toEqual([[[5, 3, 2, 1, 0, 1, 9, 9]], ["stop"]]);
    }
  });

  it("of several answers share a step, beside one without a form", async () => {
    // The first one is read when it is submitted, and begins with the others.
    const several = (): readonly ActiveGeneration[] => [
      ...one(),
      ...one(),
      ...one(),
      answering([8]),
    ];
    const { tokens, steps } = await run({ maxRows: 16, sequences: 4 }, several);
    const said = [5, 3, 2, 1, 0, 1, 9, 9];
    expect(tokens).toEqual([said, said, said, [9, 10, 11]]);
    expect(steps.map((rows) => rows.length).slice(0, 3)).toEqual([1, 3, 3 * 5 + 1]);
  });

  it("may be an answer's first, and all of it", async () => {
    const { tokens, reasons } = await run({}, () => [
      answering([4], { constraint: new Stretches([7], [6]) }),
    ]);
    expect([tokens, reasons]).toEqual([[[7, 6]], ["stop"]]);
  });
});
