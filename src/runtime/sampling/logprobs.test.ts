/** Log-probabilities against their definition. */
import { describe, expect, it } from "vitest";
import { NotFiniteError } from "../../core/errors.ts";
import { finiteLogSumExp, logSumExp, topLogprobs } from "./logprobs.ts";

describe("log-probabilities", () => {
  it("are the logarithms of the softmax, likeliest first, ties by the lower id", () => {
    const logits = Float32Array.of(0, Math.log(4), Math.log(2), Math.log(2), 0);
    const found = topLogprobs(logits, 4);
    expect(found.map(({ token }) => token)).toEqual([1, 2, 3, 0]);
    const expected = [4, 2, 2, 1].map((part) => Math.log(part / 10));
    for (const [i, { logprob }] of found.entries()) expect(logprob).toBeCloseTo(expected[i]!, 6);
    expect(found).toHaveLength(4);
  });

  it("of all tokens sum to one, and more than there are cannot be asked for", () => {
    const logits = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i) * 9);
    const found = topLogprobs(logits, 99);
    expect(found).toHaveLength(50);
    expect(found.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 9);
    expect(topLogprobs(logits, 0)).toEqual([]);
  });

  it("of logits that exp cannot hold are finite", () => {
    expect(logSumExp(Float32Array.of(1000, 1000))).toBeCloseTo(1000 + Math.LN2, 9);
    expect(logSumExp(Float32Array.of(-1000, -1000))).toBeCloseTo(-1000 + Math.LN2, 9);
    expect(logSumExp(Float32Array.of(5, Number.NEGATIVE_INFINITY))).toBe(5);
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY]])("of %s are refused, by position", (bad) => {
    const total = (): number => finiteLogSumExp(Float32Array.of(1, bad), 17);
    expect(total).toThrow(NotFiniteError);
    expect(total).toThrow("17");
  });
});
