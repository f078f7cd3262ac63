/** An answer keeps to its form: whatever the logits, and until the form is complete. */
import { describe, expect, it } from "vitest";
import { HearthError, OptionError } from "../../core/errors.ts";
import { ActiveGeneration } from "../generation.ts";
import type { TokenConstraint } from "./constraint.ts";
import { Sampler } from "./sampler.ts";
import { resolveSampling, type SamplingOptions } from "./sampling-options.ts";

const vocabulary = 40;
const end = 39;

/** The form "one of these ids, then one of those, …"; behind the last, or where `end` is among the ids, the answer may end. */
class Sequence implements TokenConstraint {
  readonly #allowed: readonly (readonly number[])[];
  #at = 0;

  constructor(...allowed: readonly (readonly number[])[]) {
    this.#allowed = allowed;
  }

  mask(into: Uint32Array): void {
    into.fill(0);
    for (const id of this.#allowed[this.#at] ?? [end]) {
      const word = id >>> 5;
      into[word] = (into[word] ?? 0) | (1 << (id & 31));
    }
  }

  accept(token: number): boolean {
    if (this.#allowed[this.#at]?.includes(token) !== true) return false;
    this.#at++;
    return true;
  }

  forced(): readonly number[] {
    return [];
  }

  rollback(tokens: number): void {
    this.#at -= tokens;
  }

  get isDone(): boolean {
    return this.#at >= this.#allowed.length;
  }
}

/** The larger the id, the likelier. */
const logits = (): Float32Array => Float32Array.from({ length: vocabulary }, (_, id) => id / 4);

function answering(constraint: TokenConstraint, sampling: SamplingOptions = {}): ActiveGeneration {
  const generation = new ActiveGeneration(
    [1],
    {
      sampling: resolveSampling({ seed: 3, temperature: 5, ...sampling }, vocabulary),
      maxTokens: 20,
      stop: [],
      endTokens: new Set([end]),
      whenFull: "finish",
      vocabulary,
      constraint,
    },
    { push: (token) => `${token} `, hiddenText: () => "", end: () => "" },
  );
  generation.start(0, 100);
  return generation;
}

async function answer(
  constraint: TokenConstraint,
  sampling: SamplingOptions = {},
): Promise<readonly number[]> {
  const generation = answering(constraint, sampling);
  while (!generation.isFinished) generation.accept(logits());
  const { tokens, finishReason } = await generation.result;
  expect(finishReason).toBe("stop");
  return tokens;
}

describe("an answer of a promised form", () => {
  it.each<readonly [string, SamplingOptions]>([
    ["greedy", { temperature: 0 }],
    ["drawn from the two likeliest", { topK: 2 }],
    ["drawn from all", { topK: 0, topP: 1, minP: 0 }],
    ["with penalties", { repetitionPenalty: 1.5, presencePenalty: 3 }],
  ])("has only tokens of the form and ends behind its last: %s", async (_, sampling) => {
    for (let seed = 0; seed < 20; seed++) {
      const tokens = await answer(new Sequence([0, 2], [33], [3, 4]), { ...sampling, seed });
      expect(tokens).toHaveLength(3);
      expect([0, 2]).toContain(tokens[0]);
      expect(tokens[1]).toBe(33);
      expect([3, 4]).toContain(tokens[2]);
    }
  });

  it("may end where the form says so, and goes on elsewhere", async () => {
    const likely = { temperature: 0 };
    expect(await answer(new Sequence([5], [6, end], [7]), likely)).toEqual([5]);
    const notYet = { ...likely, logitBias: { [end]: -100 } };
    expect(await answer(new Sequence([5], [6, end], [7]), notYet)).toEqual([5, 6, 7]);
  });

  it("is decided by all logits, also of a greedy one", () => {
    expect(answering(new Sequence([0]), { temperature: 0 }).decidingLogits).toBe(Infinity);
  });

  it("does not count the prompt as part of the form", async () => {
    const generation = answering(new Sequence([2]));
    generation.accept(logits());
    expect((await generation.result).tokens).toEqual([2]);
  });

  it("fails where the form allows no token, and where a bias forbids all of its tokens", () => {
    expect(() => answering(new Sequence([])).accept(logits())).toThrow(HearthError);
    expect(() => answering(new Sequence([])).accept(logits())).toThrow("no token");
    const never = { logitBias: { 2: Number.NEGATIVE_INFINITY } };
    expect(() => answering(new Sequence([2]), never).accept(logits())).toThrow(OptionError);
    const sampler = new Sampler(resolveSampling({}, vocabulary), vocabulary, {
      constraint: new Sequence([2]),
    });
    expect(() => sampler.accept(3)).toThrow(/token 3 .* form/);
  });

  it("chooses nothing from logits that are no numbers", () => {
    const sampler = new Sampler(resolveSampling({}, vocabulary), vocabulary, {
      constraint: new Sequence([2]),
    });
    const row = logits();
    row[30] = Number.NaN;
    expect(sampler.sample(row)).toBeUndefined();
  });
});
