/** What can be read off a program without running it: the weights its ops use, the neurons of its blocks. */
import type { FfnBlock, Op, Weight } from "./op.ts";
import type { Program } from "./program.ts";

export type FfnOp = Extract<Op, { kind: "ffn" }>;

export function opsOf(program: Program): readonly Op[] {
  return program.segments.flatMap((segment) => segment.ops);
}

export function weightsOfOp(op: Op): readonly Weight[] {
  switch (op.kind) {
    case "embed":
      return present(op.table, op.positions?.weight);
    case "norm":
      return present(op.weight, op.bias);
    case "matmul":
      return present(op.weight, op.bias);
    case "ffn":
      return weightsOfBlock(op.block);
    case "rope":
    case "store-kv":
    case "attention":
    case "activate":
    case "mask":
    case "add":
    case "copy":
    case "select":
    case "argmax":
    case "top-k":
      return [];
    default:
      return op satisfies never;
  }
}

/** The copies of its matrices by which a backend may read single input channels. */
export function channelsOfOp(op: Op): readonly Weight[] {
  if (op.kind === "matmul") return present(op.channels);
  return op.kind === "ffn" ? present(op.block.channels?.gate, op.block.channels?.up) : [];
}

function weightsOfBlock(block: FfnBlock): readonly Weight[] {
  const predictor = block.method.kind === "mlp" ? [block.method.fc1, block.method.fc2] : [];
  return present(
    block.gate,
    block.up,
    block.upBias,
    block.down.weight,
    block.downBias,
    ...predictor,
  );
}

/** The block's subset with other neurons in the places of `from`, which it must hold: an array of its own. */
export function changedSubset(
  subset: Uint32Array,
  { from, to }: { readonly from: Uint32Array; readonly to: Uint32Array },
): Uint32Array {
  const place = new Map([...subset].map((neuron, at) => [neuron, at]));
  const changed = subset.slice();
  from.forEach((neuron, i) => {
    const at = place.get(neuron);
    const other = to[i];
    if (at === undefined || other === undefined) {
      throw new RangeError(`neuron ${neuron} is not in the subset, or nothing takes its place`);
    }
    changed[at] = other;
  });
  return changed;
}

/** Neurons that the block may compute: its subset, or all. */
export function candidatesOf({ subset, neurons }: FfnBlock): Uint32Array {
  return subset ?? Uint32Array.from({ length: neurons }, (_, neuron) => neuron);
}

function present(...weights: readonly (Weight | undefined)[]): readonly Weight[] {
  return weights.filter((weight) => weight !== undefined);
}
