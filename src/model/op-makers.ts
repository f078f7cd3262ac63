/** Ops out of weights: what a model's layers and its output are strung together from. */
import type { FfnBlock, Op, OpOf, Slot, Weight } from "../ops/op.ts";
import type { AttentionShape } from "./hyperparameters.ts";
import type { AttentionWeights, FfnWeights, Linear, Norm } from "./weights.ts";

export function normOp(parts: {
  readonly x: Slot;
  readonly out: Slot;
  readonly norm: Norm;
  readonly groups: number;
}): OpOf<"norm"> {
  const { x, out, norm, groups } = parts;
  const { form, weight, bias, epsilon } = norm;
  return { kind: "norm", form, x, out, groups, weight, ...(bias && { bias }), epsilon };
}

export function matmulOp(parts: {
  readonly x: Slot;
  readonly out: Slot;
  readonly into: "assign" | "add";
  readonly linear: Linear;
  readonly channels?: Weight | undefined;
}): Op {
  const { x, out, into, linear, channels } = parts;
  const { weight, bias } = linear;
  const optional = { ...(bias && { bias }), ...(channels && { channels }) };
  return { kind: "matmul", x, out, into, weight, ...optional };
}

export function attentionOp(
  place: Pick<OpOf<"attention">, "layer" | "q" | "out">,
  { heads, scale, window, softCap }: AttentionShape,
  { sinks }: AttentionWeights,
): OpOf<"attention"> {
  return {
    kind: "attention",
    ...place,
    heads,
    scale,
    ...(window !== undefined && { window }),
    ...(softCap !== undefined && { softCap }),
    ...(sinks && { sinks }),
  };
}

/** All neurons, densely. */
export function ffnBlock(
  layer: number,
  source: { readonly weights: FfnWeights; readonly downRows: Weight | undefined },
): FfnBlock {
  const { weights, downRows } = source;
  const { gating, activation, neurons, gate, gateBias, up, downBias, hiddenNorm } = weights;
  const down: FfnBlock["down"] =
    downRows === undefined ? weights.down : { layout: "rows", weight: downRows };
  return {
    layer,
    dim: up.weight.columns,
    neurons,
    gating,
    activation,
    ...(gate && { gate }),
    ...(gateBias && { gateBias }),
    up: up.weight,
    ...(up.bias && { upBias: up.bias }),
    down,
    ...(downBias && { downBias }),
    ...(hiddenNorm && { hiddenNorm: { weight: hiddenNorm.weight, epsilon: hiddenNorm.epsilon } }),
    method: { kind: "dense" },
  };
}
