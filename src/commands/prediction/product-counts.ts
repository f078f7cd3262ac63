/**
 * What one token makes a program multiply: how many rows of which type and length. Counted from the program's own ops, so
 * that nothing is counted that is not computed: one row of an embedding, and of experts those that are used.
 */
import { isWeightType, rowBytes, type WeightType } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";
import { ffnBytes } from "../../ops/ffn-bytes.ts";
import type { FfnBlock, Op, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { weightsOfOp } from "../../ops/program-ops.ts";

export interface ProductCount {
  readonly type: WeightType;
  readonly columns: number;
  /** A fraction where only a share of them is computed on average. */
  readonly rows: number;
  /** Of the output head: a prompt needs it for its last token alone. */
  readonly isHead: boolean;
}

/** `active`: share of a layer's neurons that a token computes, for methods that leave some out. */
export function countProducts(
  { segments: [segment] }: Program,
  active: (layer: number) => number,
): readonly ProductCount[] {
  const counts = new Map<string, ProductCount>();
  const ops = segment?.ops ?? [];
  const headFrom = segment?.layers?.at(-1)?.end ?? ops.length;
  for (const [at, op] of ops.entries()) {
    const share = op.kind === "ffn" ? ffnShare(op.block, active(op.block.layer)) : shareOf(op);
    for (const weight of matricesOf(op)) add(counts, { weight, share, isHead: at >= headFrom });
  }
  return [...counts.values()];
}

/** Bytes of weights that one token reads. */
export function bytesOfProducts(counts: readonly ProductCount[]): Bytes {
  return counts.reduce((sum, { type, columns, rows }) => sum + rows * rowBytes(type, columns), 0);
}

/** Of a block its three matrices: what its method reads besides is in its share. */
function matricesOf(op: Op): readonly Weight[] {
  if (op.kind !== "ffn") return weightsOfOp(op);
  const { gate, up, down } = op.block;
  return gate === undefined ? [up, down.weight] : [gate, up, down.weight];
}

/** Vectors (norms, biases) are left out: their bytes are nothing beside those of matrices. */
function add(
  counts: Map<string, ProductCount>,
  of: { readonly weight: Weight; readonly share: number; readonly isHead: boolean },
): void {
  const { weight, share, isHead } = of;
  const { type, columns } = weight;
  if (share === 0 || weight.rows === 1 || !isWeightType(type)) return;
  const key = `${type} ${columns} ${isHead}`;
  const rows = (counts.get(key)?.rows ?? 0) + share * weight.rows;
  counts.set(key, { type, columns, rows, isHead });
}

/** Of a matrix that the op has, what a token computes with. */
function shareOf(op: Op): number {
  if (op.kind === "embed") return 0;
  return op.kind === "experts" ? op.routes.width / 2 / op.stack.count : 1;
}

/** Of all bytes of a block those that its method reads: its kernels take about as long for each as dense ones. */
function ffnShare(block: FfnBlock, active: number): number {
  if (block.method.kind === "dense") return 1;
  const all = { active: block.neurons, down: block.neurons };
  const dense = ffnBytes({ ...block, method: { kind: "dense" } }, all);
  const fired = active * block.neurons;
  return ffnBytes(block, { active: fired, down: fired }) / dense;
}
