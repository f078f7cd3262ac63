/** From an op, or several that fuse, to the kernels that compute it. */
import { type ByKind, functionFor } from "../../ops/by-kind.ts";
import type { Op, OpOf, Slot } from "../../ops/op.ts";
import type { BufferSpec } from "./kernel.ts";
import type { CountPlace } from "./kernels/compact.ts";
import { norm } from "./kernels/norm.ts";
import {
  activate,
  addOrCopy,
  argmax,
  lookup,
  mask,
  part,
  scale,
  selectRows,
} from "./kernels/rows.ts";
import { topK } from "./kernels/top-k.ts";
import {
  fusedStore,
  lowerAttention,
  lowerRope,
  lowerStore,
  type RopeTables,
} from "./lower-attention.ts";
import { lowerExperts, lowerRoute } from "./lower-experts.ts";
import { ffnRecording, lowerDown, lowerHidden } from "./lower-ffn.ts";
import { lowerPredict } from "./lower-predictor.ts";
import { lowerMatmuls, stackable } from "./lower-product.ts";
import { lowerConvolve, lowerDeltaRule } from "./lower-recurrent.ts";
import { lowerSparse } from "./lower-sparse.ts";
import type { Lowering } from "./lowering.ts";
import { isReadLater } from "./read-later.ts";

export interface OpCursor {
  readonly ops: readonly Op[];
  readonly at: number;
  readonly segment: number;
}

/** What the ops of one segment share. */
export interface SegmentTools {
  readonly tables: RopeTables;
  /** Where a sparse block counts its active neurons, and a part of a layer's experts those of its own; undefined for others. */
  readonly countsOf: (op: OpOf<"ffn" | "experts">) => CountPlace | undefined;
}

/** Lowers the op at the cursor with those behind it that fuse with it, and returns how many ops that were. */
export function lowerNext(cursor: OpCursor, lowering: Lowering, tools: SegmentTools): number {
  const { ops, at, segment } = cursor;
  const isRead = (slot: Slot, from: number): boolean =>
    isReadLater(lowering.program, { segment, from }, slot);
  const fused = fusedStore(ops, at, isRead);
  if (fused !== undefined) {
    lowerStore(fused, tools.tables, lowering);
    return fused.length;
  }
  const stack = stackable(ops, at, lowering);
  if (stack.length > 0) {
    lowerMatmuls(stack, lowering);
    return stack.length;
  }
  const op = ops[at];
  if (op !== undefined) functionFor(lowerings, op)(op, lowering, tools);
  return 1;
}

const lowerings: ByKind<readonly [Lowering, SegmentTools], void> = {
  embed: lowerEmbed,
  norm: lowerNorm,
  matmul: (op, lowering) => lowerMatmuls([op], lowering),
  rope: (op, lowering, { tables }) => lowerRope(op, tables, lowering),
  "store-kv": (op, lowering, { tables }) => lowerStore({ store: op, length: 1 }, tables, lowering),
  attention: lowerAttention,
  convolve: lowerConvolve,
  "delta-rule": lowerDeltaRule,
  activate: (op, { slot, emit }) => {
    const gate = op.gate && { gate: slot(op.gate) };
    emit(activate(op, { up: slot(op.up), out: slot(op.out), ...gate }));
  },
  ffn: (op, lowering, { countsOf }) => lowerFfn(op, lowering, countsOf(op)),
  predict: lowerPredict,
  route: lowerRoute,
  experts: (op, lowering, { countsOf }) => lowerExperts(op, lowering, countsOf(op)),
  mask: (op, lowering) => {
    const { slot, emit } = lowering;
    emit(mask(op, { x: slot(op.x), out: slot(op.out), limits: maskLimits(op, lowering) }));
  },
  add: lowerMove,
  scale: lowerScale,
  copy: lowerMove,
  part: (op, { slot, emit }) => emit(part(op, slot(op.x), slot(op.out))),
  select: (op, { slot, step, emit }) =>
    emit(selectRows(op, { x: slot(op.x), out: slot(op.out), step })),
  argmax: (op, { slot, emit }) => emit(argmax(op, slot(op.x), slot(op.out))),
  "top-k": (op, { slot, emit }) => emit(topK(op, slot(op.x), slot(op.out))),
};

/** Factors are data: layers share their buffer. */
function lowerScale(op: OpOf<"scale">, { slot, step, emit, buffers }: Lowering): void {
  const values = op.byPosition?.factors.slice();
  const factors =
    values &&
    buffers.made("factors by position", values.byteLength, () => new Uint8Array(values.buffer));
  emit(scale(op, { x: slot(op.x), out: slot(op.out), step, ...(factors && { factors }) }));
}

/** A slot that is copied onto itself, or added to itself, is left alone. */
function lowerMove(op: OpOf<"add" | "copy">, { slot, emit }: Lowering): void {
  if (op.x !== op.out) emit(addOrCopy(op, slot(op.x), slot(op.out)));
}

function lowerFfn(op: OpOf<"ffn">, lowering: Lowering, place: CountPlace | undefined): void {
  const recording = ffnRecording(op, lowering);
  if (place !== undefined) {
    lowerSparse(recording, lowering, place);
    return;
  }
  lowerHidden(recording, lowering);
  lowerDown(recording, lowering);
}

/** Value and norms of a mask are data: layers that differ in them share a kernel. */
function maskLimits({ value, norms, out }: OpOf<"mask">, { buffers }: Lowering): BufferSpec {
  const limits = new Float32Array(1 + (norms?.length ?? 0));
  limits[0] = value;
  if (norms !== undefined) limits.set(norms, 1);
  return buffers.made(`mask ${out.name}`, limits.byteLength, () => new Uint8Array(limits.buffer));
}

function lowerEmbed(op: OpOf<"embed">, lowering: Lowering): void {
  const { buffers, step } = lowering;
  const out = lowering.slot(op.out);
  const { table, positions, scale } = op;
  for (const piece of buffers.matrix({ label: table.name, weights: [table] })) {
    const by = { kind: "token" } as const;
    lowering.emit(
      lookup({ label: "embed", piece, out, step, by, into: "assign", scale, shapes: buffers }),
    );
  }
  if (positions === undefined) return;
  const { weight, offset } = positions;
  for (const piece of buffers.matrix({ label: weight.name, weights: [weight] })) {
    const by = { kind: "position", offset } as const;
    lowering.emit(
      lookup({
        label: "embed position",
        piece,
        out,
        step,
        by,
        into: "add",
        scale: 1,
        shapes: buffers,
      }),
    );
  }
}

function lowerNorm(op: OpOf<"norm">, lowering: Lowering): void {
  const length = op.x.width / op.groups;
  const vector = (weight: typeof op.weight): BufferSpec | undefined =>
    weight && lowering.buffers.vector(weight.name, [{ weight, length }]);
  const weight = vector(op.weight);
  const bias = vector(op.bias);
  const buffers = {
    x: lowering.slot(op.x),
    out: lowering.slot(op.out),
    ...(weight && { weight }),
    ...(bias && { bias }),
  };
  lowering.emit(norm(op, buffers));
}
