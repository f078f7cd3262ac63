/**
 * Lowers a program to buffers and kernels: the whole of what the GPU will hold and do, as data. Exact bytes are known
 * here, before any of them is allocated.
 */
import { UnsupportedError } from "../../core/errors.ts";
import type { Bytes } from "../../core/units.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { type BufferSpec, type KernelCall, type Purpose, slotStride, stepBytes } from "./kernel.ts";
import { kvBytes } from "./kernels/kv.ts";
import { norm } from "./kernels/norm.ts";
import { activate, addOrCopy, argmax, lookup, mask, selectRows } from "./kernels/rows.ts";
import { topK } from "./kernels/top-k.ts";
import {
  fusedStore,
  lowerAttention,
  lowerRope,
  lowerStore,
  type RopeTables,
} from "./lower-attention.ts";
import { type CountPlace, type FfnOp, ffnRecording, lowerDown, lowerHidden } from "./lower-ffn.ts";
import { lowerMatmuls, stackable } from "./lower-product.ts";
import { lowerSparse } from "./lower-sparse.ts";
import type { Lowering } from "./lowering.ts";
import { isReadLater } from "./op-access.ts";
import { type BindingLimits, RecordingBuffers } from "./recording-buffers.ts";

/** An output slot's place in the segment's staging buffer. */
interface RecordedOutput {
  readonly slot: Slot;
  readonly buffer: BufferSpec;
  readonly offset: Bytes;
}

export interface RecordedSegment {
  readonly name: string;
  readonly calls: readonly KernelCall[];
  readonly outputs: readonly RecordedOutput[];
  /** Sparse blocks of this segment; their active neurons are counted in `counts`, u32 [rows, blocks]. */
  readonly sparse: readonly FfnOp[];
  readonly dense: readonly FfnOp[];
  readonly counts?: RecordedCounts;
  /** Host-visible, shared by segments with as many bytes; two, so that one may be submitted before outputs are read. */
  readonly staging: readonly BufferSpec[];
}

interface RecordedCounts {
  readonly buffer: BufferSpec;
  readonly offset: Bytes;
}

export interface Recording {
  readonly program: Program;
  readonly buffers: readonly BufferSpec[];
  readonly step: BufferSpec;
  /** The request of copySequence: one vec4<u32>. */
  readonly copyRequest: BufferSpec;
  readonly slots: readonly BufferSpec[];
  readonly keys: readonly BufferSpec[];
  readonly values: readonly BufferSpec[];
  readonly segments: readonly RecordedSegment[];
}

/** Runs whose outputs, of one size, may be on the way at once without another allocation. */
const stagingCount = 2;

export function recordProgram(program: Program, limits: BindingLimits): Recording {
  const { kv } = program;
  if (kv.type === "q8_0") throw new UnsupportedError("a q8_0 KV cache on the GPU", ["f32", "f16"]);
  const buffers = new RecordingBuffers(limits);
  const maxRows = (rows: Slot["rows"]): number =>
    rows === "step" ? program.maxRows : program.maxOutputs;
  const step = buffers.empty("step", stepBytes(program.maxRows, program.maxOutputs));
  const copyRequest = buffers.empty("copy request", 16, "uniform");
  const slots = program.slots.map((slot) =>
    buffers.empty(`slot ${slot.id} ${slot.name}`, maxRows(slot.rows) * slotStride(slot.width) * 4),
  );
  const cache = (name: string): readonly BufferSpec[] =>
    Array.from({ length: kv.layers }, (_, layer) =>
      buffers.empty(`${name} ${layer}`, kvBytes(kv), "kv"),
    );
  const shared = { program, buffers, step, keys: cache("keys"), values: cache("values"), maxRows };
  const slotBuffer = (slot: Slot): BufferSpec => {
    const buffer = slots[slot.id];
    if (buffer === undefined) throw new RangeError(`slot ${slot.name} is not of this program`);
    return buffer;
  };
  const tables: RopeTables = new Map();
  const segments = program.segments.map((_, segment) =>
    recordSegment({ ...shared, slot: slotBuffer }, segment, tables),
  );
  const { keys, values } = shared;
  return { program, buffers: buffers.all, step, copyRequest, slots, keys, values, segments };
}

export function bytesOf(recording: Recording, ...purposes: readonly Purpose[]): Bytes {
  return recording.buffers
    .filter(({ purpose }) => purposes.includes(purpose))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

function recordSegment(
  shared: Omit<Lowering, "emit">,
  index: number,
  tables: RopeTables,
): RecordedSegment {
  const segment = shared.program.segments[index];
  const ops = segment?.ops ?? [];
  const calls: KernelCall[] = [];
  const lowering: Lowering = { ...shared, emit: (...emitted) => calls.push(...emitted) };
  const blocks = ops.filter((op) => op.kind === "ffn");
  const sparse = blocks.filter(({ block }) => block.method.kind !== "dense");
  const countBytes = shared.program.maxRows * sparse.length * 4;
  const counts =
    sparse.length === 0 ? undefined : shared.buffers.empty(`active counts ${index}`, countBytes);
  for (let at = 0; at < ops.length; ) {
    at += lowerNext({ ops, at, segment: index, tables }, lowering, (op) =>
      counts === undefined || !sparse.includes(op)
        ? undefined
        : { counts, ops: sparse.length, op: sparse.indexOf(op) },
    );
  }
  let offset = 0;
  const outputs = (segment?.outputs ?? []).map((slot): RecordedOutput => {
    const output = { slot, buffer: shared.slot(slot), offset };
    offset += shared.maxRows(slot.rows) * slotStride(slot.width) * 4;
    return output;
  });
  const bytes = offset + (counts === undefined ? 0 : countBytes);
  const staging = Array.from({ length: bytes === 0 ? 0 : stagingCount }, (_, i) =>
    shared.buffers.empty(`staging ${i}`, bytes, "staging"),
  );
  return {
    name: segment?.name ?? "",
    calls,
    outputs,
    sparse,
    dense: blocks.filter((op) => !sparse.includes(op)),
    ...(counts === undefined ? {} : { counts: { buffer: counts, offset } }),
    staging,
  };
}

interface OpCursor {
  readonly ops: readonly Op[];
  readonly at: number;
  readonly segment: number;
  readonly tables: RopeTables;
}

type CountsOf = (op: FfnOp) => CountPlace | undefined;

/** Lowers the op at the cursor, with those behind it that fuse with it, and tells how many that were. */
function lowerNext(cursor: OpCursor, lowering: Lowering, countsOf: CountsOf): number {
  const { ops, at, segment, tables } = cursor;
  const op = ops[at];
  if (op === undefined) return 1;
  const isRead = (slot: Slot, from: number): boolean =>
    isReadLater(lowering.program, { segment, from }, slot);
  const fused = fusedStore(ops, at, isRead);
  if (fused !== undefined) {
    lowerStore(fused, tables, lowering);
    return fused.length;
  }
  if (op.kind === "matmul") {
    const stack = stackable(ops, at, lowering);
    lowerMatmuls(stack, lowering);
    return stack.length;
  }
  if (op.kind !== "store-kv") lowerSingle(op, lowering, { tables, countsOf });
  return 1;
}

function lowerSingle(
  op: Exclude<Op, { kind: "matmul" | "store-kv" }>,
  lowering: Lowering,
  { tables, countsOf }: { readonly tables: RopeTables; readonly countsOf: CountsOf },
): void {
  const { slot, step } = lowering;
  switch (op.kind) {
    case "embed":
      lowerEmbed(op, lowering);
      break;
    case "norm":
      lowerNorm(op, lowering);
      break;
    case "rope":
      lowerRope(op, tables, lowering);
      break;
    case "attention":
      lowerAttention(op, lowering);
      break;
    case "activate": {
      const gate = op.gate && { gate: slot(op.gate) };
      lowering.emit(activate(op, { up: slot(op.up), out: slot(op.out), ...gate }));
      break;
    }
    case "ffn":
      lowerFfn(op, lowering, countsOf(op));
      break;
    case "mask":
      lowering.emit(
        mask(op, { x: slot(op.x), out: slot(op.out), limits: maskLimits(op, lowering) }),
      );
      break;
    case "add":
    case "copy":
      if (op.x !== op.out) lowering.emit(addOrCopy(op, slot(op.x), slot(op.out)));
      break;
    case "select":
      lowering.emit(selectRows(op, { x: slot(op.x), out: slot(op.out), step }));
      break;
    case "argmax":
      lowering.emit(argmax(op, slot(op.x), slot(op.out)));
      break;
    case "top-k":
      lowering.emit(topK(op, slot(op.x), slot(op.out)));
      break;
    default:
      op satisfies never;
  }
}

function lowerFfn(op: FfnOp, lowering: Lowering, place: CountPlace | undefined): void {
  const recording = ffnRecording(op, lowering);
  if (place !== undefined) {
    lowerSparse(recording, lowering, place);
    return;
  }
  lowerHidden(recording, lowering);
  lowerDown(recording, lowering);
}

/** Value and norms of a mask are data: layers that differ in them share a kernel. */
function maskLimits(
  { value, norms, out }: Extract<Op, { kind: "mask" }>,
  { buffers }: Lowering,
): BufferSpec {
  const limits = new Float32Array(1 + (norms?.length ?? 0));
  limits[0] = value;
  if (norms !== undefined) limits.set(norms, 1);
  return buffers.made(`mask ${out.name}`, limits.byteLength, () => new Uint8Array(limits.buffer));
}

function lowerEmbed(op: Extract<Op, { kind: "embed" }>, lowering: Lowering): void {
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

function lowerNorm(op: Extract<Op, { kind: "norm" }>, lowering: Lowering): void {
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
