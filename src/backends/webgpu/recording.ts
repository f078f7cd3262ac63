/**
 * Lowers a program to buffers and kernels: the whole of what the GPU will hold and do, as data. Exact bytes are known
 * here, before any of them is allocated.
 */
import { UnsupportedError } from "../../core/errors.ts";
import type { Bytes } from "../../core/units.ts";
import { cellsOf, type KvShape, placesOf, recurrentLayer } from "../../ops/kv-shape.ts";
import type { OpOf, Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { checkGrids } from "./check-grids.ts";
import { type BufferSpec, type KernelCall, type Purpose, slotStride, stepBytes } from "./kernel.ts";
import type { CountPlace } from "./kernels/compact.ts";
import { kvBufferBytes } from "./kernels/kv.ts";
import { isWholeBlocks } from "./kernels/kv-blocks.ts";
import { stateElements } from "./kernels/recurrent.ts";
import type { RopeTables } from "./lower-attention.ts";
import { lowerNext } from "./lower-op.ts";
import type { Lowering } from "./lowering.ts";
import { type BindingLimits, RecordingBuffers, type StreamedBuffers } from "./recording-buffers.ts";

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
  /** Sparse blocks of this segment, and parts of a layer's experts; their active neurons are counted in `counts`, u32 [rows, blocks]. */
  readonly sparse: readonly OpOf<"ffn" | "experts">[];
  readonly dense: readonly OpOf<"ffn">[];
  /** All of a layer's. */
  readonly experts: readonly OpOf<"experts">[];
  readonly counts?: RecordedCounts;
  /** Of a streamed segment. */
  readonly streamed?: StreamedBuffers;
  /** Host-visible, shared by segments that read back equally many bytes; two, so that one may be submitted before outputs are read. */
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
  /** By layer of the cache; undefined for a layer without keys and values. */
  readonly keys: readonly (BufferSpec | undefined)[];
  readonly values: readonly (BufferSpec | undefined)[];
  /** By layer of the cache; undefined for a layer without a state of fixed size. */
  readonly states: readonly (BufferSpec | undefined)[];
  readonly segments: readonly RecordedSegment[];
  /** What pieces of streamed segments lie in, by their number. */
  readonly windows: readonly BufferSpec[];
}

/** Runs whose outputs, of one size, may be on the way at once without another allocation. */
const stagingCount = 2;

export function recordProgram(program: Program, limits: BindingLimits): Recording {
  const { kv } = program;
  checkCache(kv);
  const buffers = new RecordingBuffers(limits);
  const maxRows = (rows: Slot["rows"]): number =>
    rows === "step" ? program.maxRows : program.maxOutputs;
  const step = buffers.empty("step", stepBytes(program.maxRows, program.maxOutputs));
  const copyRequest = buffers.empty("copy request", 16, "uniform");
  const slots = program.slots.map((slot) =>
    buffers.empty(`slot ${slot.id} ${slot.name}`, maxRows(slot.rows) * slotStride(slot.width) * 4),
  );
  const cache = (of: "keys" | "values"): readonly (BufferSpec | undefined)[] =>
    kv.layers.map((_, layer) => {
      const cells = cellsOf(kv, layer);
      return cells && buffers.empty(`${of} ${layer}`, kvBufferBytes(cells, of), "kv");
    });
  const [keys, values] = [cache("keys"), cache("values")];
  const states = kv.layers.map((_, layer) => {
    const own = recurrentLayer(kv, layer);
    return own && buffers.empty(`state ${layer}`, 4 * stateElements(own) * placesOf(kv), "kv");
  });
  const shared = { program, buffers, step, keys, values, states, maxRows };
  const slotBuffer = (slot: Slot): BufferSpec => {
    const buffer = slots[slot.id];
    if (buffer === undefined) throw new RangeError(`slot ${slot.name} is not of this program`);
    return buffer;
  };
  const tables: RopeTables = new Map();
  const segments = program.segments.map((_, segment) =>
    recordSegment({ ...shared, slot: slotBuffer }, segment, tables),
  );
  const windows = buffers.windows();
  return {
    program,
    windows,
    buffers: buffers.all,
    step,
    copyRequest,
    slots,
    keys,
    values,
    states,
    segments,
  };
}

/** @throws UnsupportedError where heads are no whole blocks of q8_0. */
function checkCache(kv: KvShape): void {
  if (kv.type !== "q8_0") return;
  for (const layer of kv.layers.keys()) {
    const { keyWidth = 0, valueWidth = 0 } = cellsOf(kv, layer) ?? {};
    const odd = [keyWidth, valueWidth].find((width) => !isWholeBlocks(width));
    if (odd === undefined) continue;
    throw new UnsupportedError(
      `a q8_0 cache for heads of ${odd} elements`,
      ["f16", "f32"],
      "q8_0 needs a multiple of 32",
    );
  }
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
  const endStreamed = segment?.isStreamed === true ? shared.buffers.beginStreamed() : undefined;
  const lowering: Lowering = { ...shared, emit: (...emitted) => calls.push(...emitted) };
  const blocks = ops.filter((op) => op.kind === "ffn");
  const experts = ops.filter((op) => op.kind === "experts");
  const sparse = [
    ...blocks.filter(({ block }) => block.method.kind !== "dense"),
    ...experts.filter(({ subset }) => subset !== undefined),
  ];
  const countBytes = shared.program.maxRows * sparse.length * 4;
  const counts =
    sparse.length === 0 ? undefined : shared.buffers.empty(`active counts ${index}`, countBytes);
  const countsOf = (op: OpOf<"ffn" | "experts">): CountPlace | undefined =>
    counts === undefined || !sparse.includes(op)
      ? undefined
      : { counts, ops: sparse.length, op: sparse.indexOf(op) };
  for (let at = 0; at < ops.length; ) {
    at += lowerNext({ ops, at, segment: index }, lowering, { tables, countsOf });
  }
  const streamed = endStreamed?.();
  checkGrids(calls, shared.program, shared.buffers.maxGroups);
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
    experts: experts.filter((op) => !sparse.includes(op)),
    ...(counts === undefined ? {} : { counts: { buffer: counts, offset } }),
    ...(streamed && { streamed }),
    staging,
  };
}
