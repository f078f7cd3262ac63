import { describe, expect, it } from "vitest";
import { plotProfile } from "../commands/plots/plot-profile.ts";
import { activationCurves, neuronShareFor } from "../sparsity/activation-curve.ts";
import {
  type ActivationProfile,
  activationFrequencies,
  activeRuleFor,
  activeShare,
  activeShares,
  emptyProfile,
} from "../sparsity/activation-profile.ts";
import { activeCounter } from "./active-set.ts";

function profileOf(tokens: number, counts: readonly number[][], hash = "aa"): ActivationProfile {
  return {
    rule: { kind: "nonzero" },
    tokens,
    counts: counts.map((layer) => Float64Array.from(layer)),
    corpora: [{ name: `${hash}.txt`, hash, tokens, isComplete: true }],
  };
}

describe("counting", () => {
  it("of a ReLU block counts what is not zero, rows on end", () => {
    const counts = new Float64Array(3);
    const h = Float32Array.of(0, 1, -2, 0, 0, 1e-30);
    activeCounter({ kind: "nonzero" })({ rows: 2, neurons: 3, h }, counts);
    expect([...counts]).toEqual([0, 1, 2]);
  });

  it("of the top share weighs h by its down row and counts the same number each time", () => {
    const counts = new Float64Array(5);
    const count = activeCounter({ kind: "top", share: 0.4 });
    const norms = Float32Array.of(1, 1, 1, 1, 100);
    count(
      { rows: 2, neurons: 5, h: Float32Array.of(5, -4, 3, 2, 0.1, 0, 0, -9, 8, 0.01) },
      counts,
      norms,
    );
    // Row 1: neuron 4 scores 10, neuron 0 scores 5. Row 2: neurons 2 and 3.
    expect([...counts]).toEqual([1, 0, 1, 1, 1]);
  });

  it("of the top share never counts zeros, however few others there are", () => {
    const counts = new Float64Array(4);
    activeCounter({ kind: "top", share: 0.5 })(
      { rows: 1, neurons: 4, h: Float32Array.of(0, 0, 7, 0) },
      counts,
    );
    expect([...counts]).toEqual([0, 0, 1, 0]);
  });

  it("goes on where float32 would stop", () => {
    const counts = Float64Array.of(2 ** 24);
    activeCounter({ kind: "nonzero" })({ rows: 1, neurons: 1, h: Float32Array.of(1) }, counts);
    expect(counts[0]).toBe(2 ** 24 + 1);
  });

  it("goes by zeros where the activation has them", () => {
    expect(activeRuleFor({ kind: "relu2" })).toEqual({ kind: "nonzero" });
    expect(activeRuleFor({ kind: "silu" }).kind).toBe("top");
  });
});

describe("a profile", () => {
  it("of nothing has frequencies of zero", () => {
    const empty = emptyProfile({ kind: "nonzero" }, [2]);
    expect([...activationFrequencies(empty, 0)]).toEqual([0, 0]);
    expect(activeShares(empty)).toEqual([0]);
    expect(activeShare(empty)).toBe(0);
  });

  it("weighs layers by their neurons", () => {
    expect(
      activeShare(
        profileOf(10, [
          [10, 10],
          [0, 0, 0, 0, 0, 0],
        ]),
      ),
    ).toBe(0.25);
  });
});

describe("the cumulative curve", () => {
  const [layer, other, model] = activationCurves(
    profileOf(100, [
      [80, 10, 10, 0],
      [25, 25, 25, 25],
    ]),
  );
  if (layer === undefined || other === undefined || model === undefined)
    throw new Error("three curves");

  it("rises from 0 to 1, most active first", () => {
    expect([...layer.shares]).toEqual([0, 0.8, 0.9, 1, 1]);
    expect(model.shares).toHaveLength(9);
    expect([model.shares[0], model.shares[1], model.shares[8]]).toEqual([0, 0.4, 1]);
  });

  it("says which share of neurons makes 80 % of activations", () => {
    expect(neuronShareFor(layer, 0.8)).toBe(0.25);
    expect(neuronShareFor(other, 0.8)).toBe(1);
    expect(neuronShareFor(other, 0.75)).toBe(0.75);
  });

  it("of a layer that never fired is flat and names no share", () => {
    const [dead] = activationCurves(profileOf(5, [[0, 0]]));
    expect(dead && [...dead.shares]).toEqual([0, 0, 0]);
    expect(dead && neuronShareFor(dead, 0.8)).toBe(0);
  });

  it("is drawn with a line and a legend entry for each layer, axes and names escaped", () => {
    const svg = plotProfile([layer, other, model], {
      model: "<m&m>.gguf",
      tokens: 100,
      rule: "active when not zero",
    });
    expect(svg.match(/<polyline/g)).toHaveLength(3);
    for (const label of [
      "layer 0",
      "layer 1",
      ">model<",
      "neurons, most active first",
      "activations they make",
      "&lt;m&amp;m&gt;",
    ]) {
      expect(svg).toContain(label);
    }
    expect(svg).not.toContain("NaN");
    expect(svg.match(/<(svg|text|g)\b/g)?.length).toBe(svg.match(/<\/(svg|text|g)>/g)?.length);
  });

  it("of a hundred layers keeps its legend inside the picture", () => {
    const many = activationCurves(
      profileOf(
        9,
        Array.from({ length: 100 }, () => [9, 1]),
      ),
    );
    const svg = plotProfile(many, { model: "m", tokens: 9, rule: "x" });
    const lowest = Math.max(...[...svg.matchAll(/ y="([\d.]+)"/g)].map(([, y]) => Number(y)));
    expect(lowest).toBeLessThan(650);
  });
});
