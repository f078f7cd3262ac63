import { describe, expect, it } from "vitest";
import type { Weight } from "../ops/op.ts";
import { chooseMethod, type MethodFacts } from "./method.ts";
import type { MethodName } from "./method-names.ts";
import type { Sidecar } from "./sidecar/sidecar.ts";

const weight: Weight = {
  name: "w",
  type: "F16",
  rows: 1,
  columns: 1,
  bytes: { kind: "memory", data: new Uint8Array(2) },
};
const predictor = { fc1: weight, fc2: weight, threshold: 0, recall: 1, precision: 1 };
const nothing: Sidecar = {
  path: "m.sparsity.gguf",
  downRows: [undefined],
  predictors: [undefined],
  signs: [undefined],
  channels: [{}],
};

const relu: MethodFacts = {
  gating: "gated",
  activation: { kind: "relu" },
  hasPredictors: false,
  isPowerInfer: false,
  sidecar: undefined,
  ignoresMasks: false,
};
const silu: MethodFacts = { ...relu, activation: { kind: "silu" } };

function thresholds(score: "gate" | "output"): Sidecar {
  return { ...nothing, thresholds: { tables: [{ score, sparsity: 0.4, values: [1] }], chosen: 0 } };
}

describe("the method asked for", () => {
  it.each<[MethodName, string, MethodFacts]>([
    ["dense", "any model", silu],
    ["gate", "ReGLU", relu],
    ["gate", "dReLU", { ...relu, gating: "both" }],
    ["gate", "ungated relu²", { ...relu, gating: "ungated", activation: { kind: "relu2" } }],
    ["gate", "FATReLU", { ...relu, activation: { kind: "fatrelu", threshold: 0.01 } }],
    ["mlp", "a file with predictors", { ...relu, hasPredictors: true }],
    [
      "mlp",
      "a sidecar with predictors, whatever the activation",
      { ...silu, sidecar: { ...nothing, predictors: [predictor] } },
    ],
    [
      "sign",
      "margins in the sidecar",
      { ...relu, sidecar: { ...nothing, sign: { margins: [3], recall: [1] } } },
    ],
    ["threshold", "SwiGLU with gate thresholds", { ...silu, sidecar: thresholds("gate") }],
    [
      "threshold",
      "ungated GELU with output thresholds",
      { ...silu, gating: "ungated", activation: { kind: "gelu" }, sidecar: thresholds("output") },
    ],
  ])("%s is taken for %s", (method, _, facts) => {
    expect(chooseMethod(method, facts).method).toBe(method);
  });

  it.each<[MethodName, string, MethodFacts, RegExp]>([
    ["gate", "silu", silu, /sparsity gate.*available: dense\. .*exact zeros.*silu/],
    [
      "mlp",
      "no predictors",
      relu,
      /available: dense, gate\. .*predictor for every layer; hearth prepare/,
    ],
    [
      "mlp",
      "half of its predictors",
      { ...relu, sidecar: { ...nothing, predictors: [predictor, undefined] } },
      /predictor for every layer/,
    ],
    ["sign", "silu", silu, /signs.*silu/],
    ["sign", "no margins", { ...relu, sidecar: nothing }, /calibrated margins; hearth prepare/],
    ["threshold", "no thresholds", silu, /calibrated thresholds; hearth prepare/],
    [
      "threshold",
      "gate thresholds and dReLU",
      { ...relu, gating: "both", sidecar: thresholds("gate") },
      /available: dense, gate\. .*gate score/,
    ],
  ])("%s is refused for %s, and what can be had is named", (method, _, facts, message) => {
    expect(() => chooseMethod(method, facts)).toThrow(message);
  });
});

describe("auto", () => {
  const recommendation = { method: "threshold", reason: "loses 0.3 %", measured: [] } as const;

  it("follows what hearth prepare recommended, in its words", () => {
    const sidecar = { ...thresholds("output"), recommendation };
    expect(chooseMethod("auto", { ...silu, sidecar })).toEqual({
      method: "threshold",
      reason: "loses 0.3 %",
    });
  });

  it("runs dense, by itself only, where masked inputs would be read all the same", () => {
    const shares = { attention: 0.1, attentionOutput: 0.1, ffn: 0.1, output: 0.3 };
    const none = { attention: 0, attentionOutput: 0, ffn: 0, output: 0 };
    const table = { score: "input", shares, values: [none] } as const;
    const sidecar = { ...nothing, recommendation, thresholds: { tables: [table], chosen: 0 } };
    const facts = { ...silu, sidecar };
    expect(chooseMethod("auto", facts).method).toBe("threshold");
    const onCard = { ...facts, ignoresMasks: true };
    expect(chooseMethod("auto", onCard)).toMatchObject({ method: "dense" });
    expect(chooseMethod("auto", onCard).reason).toMatch(/masks inputs/);
    expect(chooseMethod("threshold", onCard).method).toBe("threshold");
    const byOutput = { ...thresholds("output"), recommendation };
    const other = { ...onCard, sidecar: byOutput };
    expect(chooseMethod("auto", other).method).toBe("threshold");
  });

  it("says when it sets the predictors of a PowerInfer file aside for a recommendation", () => {
    const sidecar = { ...nothing, recommendation: { ...recommendation, method: "gate" } as const };
    const facts = { ...relu, isPowerInfer: true, hasPredictors: true, sidecar };
    expect(chooseMethod("auto", facts)).toEqual({
      method: "gate",
      reason: "loses 0.3 %; the predictors in the file are set aside for it",
    });
  });

  it("does not follow a recommendation that the sidecar cannot back", () => {
    const sidecar = { ...nothing, recommendation };
    expect(chooseMethod("auto", { ...relu, sidecar }).method).toBe("gate");
  });

  it("takes the predictors that PowerInfer's file brings", () => {
    const chosen = chooseMethod("auto", { ...relu, isPowerInfer: true, hasPredictors: true });
    expect(chosen.method).toBe("mlp");
    expect(chosen.reason).toMatch(/PowerInfer/);
  });

  it("takes the exact gate where activations are zero, and dense where they never are", () => {
    expect(chooseMethod("auto", relu).method).toBe("gate");
    expect(chooseMethod("auto", relu).reason).toMatch(/relu.*the gate/);
    expect(chooseMethod("auto", { ...relu, gating: "ungated" }).reason).toMatch(/up alone/);
    expect(chooseMethod("auto", silu)).toMatchObject({ method: "dense" });
    expect(chooseMethod("auto", silu).reason).toMatch(/silu never rests.*hearth prepare/);
  });

  it("does not take thresholds that nobody has measured", () => {
    expect(chooseMethod("auto", { ...silu, sidecar: thresholds("output") }).method).toBe("dense");
  });
});
