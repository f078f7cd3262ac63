import { describe, expect, it } from "vitest";
import { ropeTable } from "./rope-frequencies.ts";

const plain = {
  dims: 8,
  base: 10000,
  attentionFactor: 1,
  scaling: { kind: "none" },
  originalContext: 64,
} as const;

describe("ropeTable", () => {
  it("falls geometrically from one radian per position", () => {
    const { frequencies, magnitude } = ropeTable(plain);
    expect([...frequencies]).toEqual([1, 0.1, 0.01, 0.001].map(Math.fround));
    expect(magnitude).toBe(1);
  });

  it("divides every frequency by a linear factor", () => {
    const { frequencies } = ropeTable({ ...plain, scaling: { kind: "linear", factor: 4 } });
    expect([...frequencies]).toEqual([0.25, 0.025, 0.0025, 0.00025].map(Math.fround));
  });

  it("divides each frequency by its own factor, as Llama 3's files ask", () => {
    const { frequencies } = ropeTable(plain, Float32Array.of(1, 1, 2, 8));
    expect([...frequencies]).toEqual([1, 0.1, 0.005, 0.000125].map(Math.fround));
  });

  it("keeps fast pairs and stretches slow ones under YaRN, and raises the magnitude", () => {
    const scaling = {
      kind: "yarn",
      factor: 4,
      originalContext: 4096,
      betaFast: 32,
      betaSlow: 1,
    } as const;
    const dims = 128;
    const { frequencies, magnitude } = ropeTable({ ...plain, dims, scaling });
    const trained = ropeTable({ ...plain, dims }).frequencies;
    const ratios = [...frequencies].map((frequency, pair) => frequency / (trained[pair] ?? 0));
    // By hand: pairs turn 32 times in 4096 positions at index 20.9, once at 45.03; so 20 and 46 bound the ramp.
    for (const ratio of ratios.slice(0, 21)) expect(ratio).toBeCloseTo(1, 6);
    for (const ratio of ratios.slice(46)) expect(ratio).toBeCloseTo(0.25, 6);
    // Halfway through the ramp, at 33, the frequency is the mean of both.
    expect(ratios[33]).toBeCloseTo((1 + 0.25) / 2, 6);
    expect(magnitude).toBeCloseTo(1 + 0.1 * Math.log(4), 12);
  });

  // Each as llama-perplexity 0.7.0 has it: same perplexity to seven digits on a random llama.
  it.each([
    [{ kind: "none" }, 1.5, 1.5],
    [{ kind: "linear", factor: 2 }, 1.5, 1.5],
    [{ kind: "yarn", factor: 0.5 }, 1, 1],
    [{ kind: "yarn", factor: 0.5 }, 0.7, 0.7],
    [{ kind: "yarn", factor: 1 }, 0.7, 0.7],
    [{ kind: "yarn", factor: 4 }, 0.7, 0.7 * (1 + 0.1 * Math.log(4))],
    [{ kind: "yarn", factor: 4, logMultiplier: 1 }, 0.7, 0.7],
  ] as const)(
    "under %j has the attention factor %d and the magnitude %d",
    (scaling, attentionFactor, expected) => {
      const yarn = { originalContext: 64, betaFast: 32, betaSlow: 1 };
      const rope = { ...plain, attentionFactor, scaling: { ...yarn, ...scaling } };
      expect(ropeTable(rope).magnitude).toBeCloseTo(expected, 12);
    },
  );
});
