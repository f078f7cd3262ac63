/** Of each layer the op that a placement may share between devices: the experts that its router chooses from, else its block. */
import { isIndivisible } from "../../ops/ffn-block.ts";
import type { Op, OpOf } from "../../ops/op.ts";
import type { PlacementUnit } from "../../placement/placeable-model.ts";

/** Shared experts, which every token uses, are none: they stay where the layer's attention is. */
export type PlacedOp = OpOf<"ffn"> | OpOf<"experts">;

/** By layer. Of several the first experts, or else the first block: shared ones stand behind those that a router chooses. */
export function placedOps(ops: readonly Op[]): ReadonlyMap<number, PlacedOp> {
  const found = new Map<number, PlacedOp>();
  for (const op of ops) {
    if (op.kind !== "ffn" && op.kind !== "experts") continue;
    const layer = layerOf(op);
    const known = found.get(layer);
    const isFirst = known === undefined || (op.kind === "experts" && known.kind === "ffn");
    if (isFirst) found.set(layer, op);
  }
  return found;
}

export function layerOf(op: PlacedOp): number {
  return op.kind === "ffn" ? op.block.layer : op.stack.layer;
}

export function unitsOf(op: PlacedOp): { readonly unit: PlacementUnit; readonly count: number } {
  return op.kind === "ffn"
    ? { unit: "neuron", count: op.block.neurons }
    : { unit: "expert", count: op.stack.count };
}

/** Whether one device must have all units. */
export function isWhole(op: PlacedOp): boolean {
  return op.kind === "ffn" && isIndivisible(op.block);
}

/** What one device computes of it. The first of them adds the bias of a block's down, and counts a predictor of all. */
export function shareOf<Placed extends PlacedOp>(
  op: Placed,
  share: { readonly units: Uint32Array; readonly isFirst: boolean },
): Placed {
  const { units, isFirst } = share;
  const isAll = units.length === unitsOf(op).count;
  if (op.kind === "experts") return isAll ? op : { ...op, subset: units };
  const { downBias, method, ...rest } = op.block;
  const block = {
    ...rest,
    method: method.kind === "given" && !isFirst ? { ...method, predictorBytes: 0 } : method,
    ...(isFirst && downBias && { downBias }),
    ...(isAll ? {} : { subset: units }),
  };
  return { ...op, block };
}
