import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quantiseActivation } from "./q8-activation.ts";

const block = 32;

describe("quantiseActivation", () => {
  it("gives the largest value code 127 and rounds ties to even", () => {
    const values = new Float32Array(block);
    values.set([127, -127, 0.5, 1.5, -2.5, 3]);
    const { codes, scales } = quantiseActivation(values);
    expect([...scales]).toEqual([1]);
    expect([...codes.subarray(0, 6)]).toEqual([127, -127, 0, 2, -2, 3]);
  });

  it("gives scale 0 and codes 0 for a block of zeros, next to one that is not", () => {
    const values = new Float32Array(2 * block).fill(2, block);
    const { codes, scales } = quantiseActivation(values);
    expect([...scales]).toEqual([0, Math.fround(2 / 127)]);
    expect(codes.subarray(0, block).every((code) => code === 0)).toBe(true);
    expect(codes.subarray(block).every((code) => code === 127)).toBe(true);
  });

  it("keeps every value within half a step", () => {
    const value = fc.float({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.array(value, { minLength: block, maxLength: block }), (list) => {
        const values = Float32Array.from(list);
        const { codes, scales } = quantiseActivation(values);
        const scale = scales[0]!;
        // Half a step, and float32's rounding of the quotient (|q| <= 127, so 2^-18) and of a subnormal d.
        const bound = scale * (0.5 + 2 ** -17) + 127 * 2 ** -149;
        const worst = Math.max(...values.map((x, i) => Math.abs(x - scale * codes[i]!)));
        expect(worst).toBeLessThanOrEqual(bound);
      }),
      { seed: 1 },
    );
  });

  it("refuses a length that is no multiple of 32", () => {
    expect(() => quantiseActivation(new Float32Array(33))).toThrow(/33/);
  });
});
