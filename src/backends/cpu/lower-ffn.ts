/** A feed-forward block → its record and that of its method. See lower.ts. */
import type { Gating, OpOf, RowFunction, SparsityMethod } from "../../ops/op.ts";
import { choiceCodes, methodRecord, opRecord } from "./program-records.ts";
import type { WeightTable } from "./weight-table.ts";

export function flag(value: boolean): number {
  return value ? 1 : 0;
}

/** The fields of how h comes about. */
export function lowerActivation(
  gating: Gating,
  activation: RowFunction,
): { readonly gating: number; readonly activation: number; readonly threshold: number } {
  return {
    gating: choiceCodes.gating[gating],
    activation: choiceCodes.activation[activation.kind],
    threshold: activation.kind === "fatrelu" ? activation.threshold : 0,
  };
}

export function lowerFfn(
  { x, out, into, block }: OpOf<"ffn">,
  weights: WeightTable,
): readonly number[] {
  const { layer, dim, neurons, down, subset } = block;
  const record = opRecord("ffn", {
    x: x.id,
    out: out.id,
    adds: flag(into === "add"),
    layer,
    dim,
    neurons,
    ...lowerActivation(block.gating, block.activation),
    gate: weights.add(block.gate),
    gateBias: weights.add(block.gateBias),
    up: weights.add(block.up),
    upBias: weights.add(block.upBias),
    downRows: flag(down.layout === "rows"),
    down: weights.add(down.weight),
    downBias: weights.add(block.downBias),
    hiddenNorm: weights.add(block.hiddenNorm?.weight),
    hiddenEpsilon: block.hiddenNorm?.epsilon ?? 0,
    subset: weights.addArray(subset),
    subsetCount: subset?.length ?? 0,
    gateChannels: weights.add(block.channels?.gate),
    upChannels: weights.add(block.channels?.up),
  });
  return [...record, ...lowerMethod(block.method, weights)];
}

/** The record of its predictor follows. */
export function lowerPredict(
  { x, out, layer, neurons, predictor }: OpOf<"predict">,
  weights: WeightTable,
): readonly number[] {
  const record = opRecord("predict", { x: x.id, out: out.id, layer, neurons });
  return [...record, ...lowerMethod(predictor, weights)];
}

function lowerMethod(method: SparsityMethod, weights: WeightTable): readonly number[] {
  switch (method.kind) {
    case "dense":
    case "gate":
      return methodRecord(method.kind, {});
    case "mlp": {
      const { input, fc1, fc2, threshold } = method;
      const network = { fc1: weights.add(fc1), fc2: weights.add(fc2) };
      return methodRecord("mlp", { input: input.id, ...network, threshold });
    }
    case "sign":
      return methodRecord("sign", {
        signs: weights.addArray(method.signs),
        margin: Math.ceil(method.margin),
        margins: weights.addArray(method.margins),
        centre: weights.addArray(method.centre),
      });
    case "threshold-gate":
      return methodRecord("threshold-gate", { value: method.value });
    case "threshold-output": {
      const norms = weights.addArray(method.downNorms);
      return methodRecord("threshold-output", { value: method.value, norms });
    }
    case "given": {
      const { active, predictorBytes } = method;
      return methodRecord("given", { active: active.id, predictorBytes });
    }
    default:
      return method satisfies never;
  }
}
