/**
 * Brings the outputs of a segment to the host: copied to a mappable buffer in the same submission, mapped, copied out.
 * A ring of such buffers for each size, so that a segment may run again before its last outputs were read.
 */
import type { DeviceError } from "../../core/errors.ts";
import type { Bytes } from "../../core/units.ts";
import type { Slot } from "../../ops/op.ts";
import { type BufferSpec, slotStride } from "./kernel.ts";
import type { RecordedSegment, Recording } from "./recording.ts";
import type { RunShape } from "./run-shape.ts";

/** One run's outputs on their way. */
interface Transfer {
  readonly buffer: GPUBuffer;
  rows: number;
  outputs: number;
  bytes: Bytes;
  isBusy: boolean;
}

/** An output on the host: room for all rows, and those of the last run. */
interface HostCopy {
  readonly whole: Float32Array;
  rows: Float32Array;
}

/** What reading back needs of its program, and what it reports to it. */
interface ReadbackHost {
  /** Active neurons of the segment's sparse blocks: u32 [rows, blocks]. */
  counted(
    segment: RecordedSegment,
    counts: Uint32Array,
    shape: Pick<RunShape, "rows" | "outputs">,
  ): void;
  /** Another buffer was made: more runs are on the way than the ring holds. */
  grew(): void;
  failure(): DeviceError | undefined;
}

export class Readback implements Disposable {
  readonly #recording: Recording;
  readonly #device: GPUDevice;
  readonly #gpu: ReadonlyMap<BufferSpec, GPUBuffer>;
  readonly #host: ReadbackHost;
  readonly #rings: readonly Transfer[][];
  readonly #outputs: ReadonlyMap<Slot, HostCopy>;

  constructor(
    program: {
      readonly recording: Recording;
      readonly device: GPUDevice;
      readonly gpu: ReadonlyMap<BufferSpec, GPUBuffer>;
    },
    host: ReadbackHost,
  ) {
    this.#recording = program.recording;
    this.#device = program.device;
    this.#gpu = program.gpu;
    this.#host = host;
    this.#rings = this.#makeRings();
    const { maxRows, maxOutputs } = this.#recording.program;
    const slots = this.#recording.segments.flatMap(({ outputs }) =>
      outputs.map(({ slot }) => slot),
    );
    this.#outputs = new Map(
      slots.map((slot) => {
        const whole = new Float32Array((slot.rows === "step" ? maxRows : maxOutputs) * slot.width);
        return [slot, { whole, rows: whole.subarray(0, 0) }];
      }),
    );
  }

  /** The rows of the last run that was received. */
  output(slot: Slot): Float32Array {
    return this.#hostCopy(slot).rows;
  }

  /** Records the copies of the segment's outputs; undefined where it has none. */
  begin(segment: number, encoder: GPUCommandEncoder, shape: RunShape): Transfer | undefined {
    const recorded = this.#recorded(segment);
    if (recorded.staging.length === 0) return undefined;
    const transfer = this.#freeTransfer(segment);
    transfer.rows = shape.rows;
    transfer.outputs = shape.outputs;
    transfer.bytes = 0;
    for (const { slot, buffer, offset } of recorded.outputs) {
      const bytes = usedBytes(slot, slotRows(slot, transfer));
      if (bytes > 0)
        encoder.copyBufferToBuffer(this.#buffer(buffer), 0, transfer.buffer, offset, bytes);
      transfer.bytes += bytes;
    }
    const { counts, sparse } = recorded;
    if (counts !== undefined && shape.rows > 0) {
      const bytes = shape.rows * sparse.length * 4;
      const source = this.#buffer(counts.buffer);
      encoder.copyBufferToBuffer(source, 0, transfer.buffer, counts.offset, bytes);
      transfer.bytes += bytes;
    }
    return transfer;
  }

  /** After the submission: waits for the copies, takes the rows over and frees the buffer for the next run. */
  async receive(segment: number, transfer: Transfer): Promise<void> {
    transfer.isBusy = true;
    const recorded = this.#recorded(segment);
    try {
      await transfer.buffer.mapAsync(GPUMapMode.READ);
      this.#takeOver(recorded, transfer);
      transfer.buffer.unmap();
      transfer.isBusy = false;
    } catch (error) {
      // The reason of a loss arrives in a promise of its own, a turn later.
      await new Promise((resolve) => setImmediate(resolve));
      throw this.#host.failure() ?? error;
    }
    const failure = this.#host.failure();
    if (failure !== undefined) throw failure;
  }

  [Symbol.dispose](): void {
    for (const { buffer } of this.#rings.flat()) buffer.destroy();
  }

  /** getMappedRange wants offsets at multiples of 8; ours are (slot rows are padded to 32 bytes). */
  #takeOver(recorded: RecordedSegment, transfer: Transfer): void {
    const { buffer, rows } = transfer;
    for (const { slot, offset } of recorded.outputs) {
      const count = slotRows(slot, transfer);
      const target = this.#hostRows(slot, count);
      if (count === 0) continue;
      const mapped = new Float32Array(buffer.getMappedRange(offset, usedBytes(slot, count)));
      copyRows(mapped, target, slot.width);
    }
    const { counts, sparse } = recorded;
    if (counts === undefined || rows === 0) return;
    const range = buffer.getMappedRange(counts.offset, rows * sparse.length * 4);
    this.#host.counted(recorded, new Uint32Array(range), transfer);
  }

  #hostCopy(slot: Slot): HostCopy {
    const copy = this.#outputs.get(slot);
    if (copy === undefined)
      throw new RangeError(`slot ${slot.name} is not an output of any segment`);
    return copy;
  }

  /** Where `rows` rows of an output go; a new view only when their number changes. */
  #hostRows(slot: Slot, rows: number): Float32Array {
    const copy = this.#hostCopy(slot);
    const length = rows * slot.width;
    if (copy.rows.length !== length) copy.rows = copy.whole.subarray(0, length);
    return copy.rows;
  }

  /** Segments that read back equally many bytes share a ring: its buffers are busy only while outputs are on the way. */
  #makeRings(): readonly Transfer[][] {
    const rings = new Map<BufferSpec | undefined, Transfer[]>();
    return this.#recording.segments.map(({ staging }) => {
      const [first] = staging;
      const known = rings.get(first);
      if (known !== undefined) return known;
      const ring = staging.map((spec) => newTransfer(this.#buffer(spec)));
      rings.set(first, ring);
      return ring;
    });
  }

  #freeTransfer(segment: number): Transfer {
    const ring = this.#rings[segment] ?? [];
    for (const transfer of ring) if (!transfer.isBusy) return transfer;
    const size = ring[0]?.buffer.size ?? 0;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const transfer = newTransfer(this.#device.createBuffer({ label: "staging", size, usage }));
    ring.push(transfer);
    this.#host.grew();
    return transfer;
  }

  #recorded(segment: number): RecordedSegment {
    const recorded = this.#recording.segments[segment];
    if (recorded === undefined) throw new RangeError(`no segment ${segment}`);
    return recorded;
  }

  #buffer(spec: BufferSpec): GPUBuffer {
    const buffer = this.#gpu.get(spec);
    if (buffer === undefined) throw new RangeError(`buffer ${spec.label} was not allocated`);
    return buffer;
  }
}

function newTransfer(buffer: GPUBuffer): Transfer {
  return { buffer, rows: 0, outputs: 0, bytes: 0, isBusy: false };
}

function slotRows({ rows }: Slot, run: Pick<Transfer, "rows" | "outputs">): number {
  return rows === "step" ? run.rows : run.outputs;
}

/** Bytes that hold the first `rows` rows of a slot: the last row without its padding. */
function usedBytes({ width }: Slot, rows: number): Bytes {
  return rows === 0 ? 0 : ((rows - 1) * slotStride(width) + width) * 4;
}

/** Rows of the buffer are padded, all but the last one. */
function copyRows(source: Float32Array, target: Float32Array, width: number): void {
  const stride = slotStride(width);
  if (source.length === target.length) {
    target.set(source);
    return;
  }
  for (let at = 0, from = 0; at < target.length; at += width, from += stride) {
    target.set(source.subarray(from, from + width), at);
  }
}
