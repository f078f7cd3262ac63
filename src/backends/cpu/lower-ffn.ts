/** A feed-forward block → numbers, in the order that native/runtime/build-ffn.cc reads. See lower.ts. */
import type { Activation, FfnBlock, Gating, SparsityMethod } from "../../ops/op.ts";
import type { WeightTable } from "./weight-table.ts";

const gatingCodes: Readonly<Record<Gating, number>> = { ungated: 0, gated: 1, both: 2 };

export function gatingCode(gating: Gating): number {
  return gatingCodes[gating];
}

const activationCodes: Readonly<Record<Activation["kind"], number>> = {
  silu: 0,
  gelu: 1,
  "gelu-tanh": 2,
  relu: 3,
  relu2: 4,
  fatrelu: 5,
};

/** Code and threshold. */
export function activationNumbers(activation: Activation): readonly [number, number] {
  const threshold = activation.kind === "fatrelu" ? activation.threshold : 0;
  return [activationCodes[activation.kind], threshold];
}

export function lowerFfn(block: FfnBlock, table: WeightTable): readonly number[] {
  const { layer, dim, neurons, gating, subset } = block;
  return [
    layer,
    dim,
    neurons,
    gatingCode(gating),
    ...activationNumbers(block.activation),
    table.add(block.gate),
    table.add(block.up),
    table.add(block.upBias),
    block.down.layout === "rows" ? 1 : 0,
    table.add(block.down.weight),
    table.add(block.downBias),
    ...(subset === undefined ? [-1] : [subset.length, table.addArray(subset)]),
    table.add(block.channels?.gate),
    table.add(block.channels?.up),
    ...lowerMethod(block.method, table),
  ];
}

function lowerMethod(method: SparsityMethod, table: WeightTable): readonly number[] {
  switch (method.kind) {
    case "dense":
      return [0];
    case "gate":
      return [1];
    case "mlp": {
      const weights = [table.add(method.fc1), table.add(method.fc2)];
      return [2, method.input.id, ...weights, method.threshold];
    }
    case "sign": {
      const { signs, margin, margins, centre } = method;
      const own = margins === undefined ? -1 : table.addArray(margins);
      const centred = centre === undefined ? -1 : table.addArray(centre);
      return [3, table.addArray(signs), Math.ceil(margin), own, centred];
    }
    case "threshold-gate":
      return [4, method.value];
    case "threshold-output":
      return [5, method.value, table.addArray(method.downNorms)];
    default:
      return method satisfies never;
  }
}
