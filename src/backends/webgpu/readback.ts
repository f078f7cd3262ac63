/**
 * Brings the outputs of a segment to the host: copied to a mappable buffer in the same submission, mapped, copied out.
 * A ring of such buffers for each size, so that a segment may run again before its last outputs were read.
 */
import type { Bytes } from "../../core/units.ts";
import type { Slot } from "../../ops/op.ts";
import { slotStride } from "./kernel.ts";
import type { PlannedSegment } from "./plan.ts";
import type { RunShape } from "./run-shape.ts";

/** One run's outputs on their way. */
export interface Transfer {
  readonly buffer: GPUBuffer;
  rows: number;
  outputs: number;
  isBusy: boolean;
}

export interface ReadbackTarget {
  output(slot: Slot, rows: number): Float32Array;
  /** Active neurons of the segment's sparse blocks: u32 [rows, blocks]. */
  counted(counts: Uint32Array, rows: number): void;
}

function slotRows(
  { rows }: Slot,
  shape: { readonly rows: number; readonly outputs: number },
): number {
  return rows === "step" ? shape.rows : shape.outputs;
}

/** Bytes that hold the first `rows` rows of a slot: the last row without its padding. */
function usedBytes({ width }: Slot, rows: number): Bytes {
  return rows === 0 ? 0 : ((rows - 1) * slotStride(width) + width) * 4;
}

/** Records the copies; returns the bytes that they move. */
export function copyOutputs(
  encoder: GPUCommandEncoder,
  from: {
    readonly segment: PlannedSegment;
    readonly gpu: (label: PlannedSegment["outputs"][number]["buffer"]) => GPUBuffer;
  },
  { to, shape }: { readonly to: GPUBuffer; readonly shape: RunShape },
): Bytes {
  const { segment, gpu } = from;
  let moved = 0;
  for (const { slot, buffer, offset } of segment.outputs) {
    const bytes = usedBytes(slot, slotRows(slot, shape));
    if (bytes > 0) encoder.copyBufferToBuffer(gpu(buffer), 0, to, offset, bytes);
    moved += bytes;
  }
  if (segment.counts !== undefined) {
    const bytes = shape.rows * segment.sparse.length * 4;
    if (bytes > 0)
      encoder.copyBufferToBuffer(gpu(segment.counts.buffer), 0, to, segment.counts.offset, bytes);
    moved += bytes;
  }
  return moved;
}

/** Waits for the copy, hands the rows over and frees the buffer for the next run. */
export async function receive(
  segment: PlannedSegment,
  transfer: Transfer,
  target: ReadbackTarget,
): Promise<void> {
  const { buffer, rows, outputs } = transfer;
  await buffer.mapAsync(GPUMapMode.READ);
  for (const { slot, offset } of segment.outputs) {
    const count = slotRows(slot, { rows, outputs });
    const rowsOfSlot = target.output(slot, count);
    if (count === 0) continue;
    const mapped = new Float32Array(
      buffer.getMappedRange(...mappedRange(offset, usedBytes(slot, count))),
    );
    copyRows(mapped, rowsOfSlot, { count, width: slot.width });
  }
  if (segment.counts !== undefined && rows > 0) {
    const bytes = rows * segment.sparse.length * 4;
    target.counted(
      new Uint32Array(buffer.getMappedRange(...mappedRange(segment.counts.offset, bytes))),
      rows,
    );
  }
  buffer.unmap();
  transfer.isBusy = false;
}

/** getMappedRange wants an offset at a multiple of 8; ours are (slot rows are padded to 32 bytes). */
function mappedRange(offset: Bytes, bytes: Bytes): [number, number] {
  return [offset, bytes];
}

function copyRows(
  source: Float32Array,
  target: Float32Array,
  { count, width }: { readonly count: number; readonly width: number },
): void {
  const stride = slotStride(width);
  if (stride === width) {
    target.set(source);
    return;
  }
  for (let row = 0; row < count; row++) {
    target.set(source.subarray(row * stride, row * stride + width), row * width);
  }
}
