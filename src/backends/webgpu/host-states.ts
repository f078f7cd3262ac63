/** What a program's layers remember, between the host and the buffers of the card (ops/state-parts.ts). */
import type { Bytes } from "../../core/units.ts";
import { requireCells } from "../../ops/kv-shape.ts";
import type { StatePart } from "../../ops/state-parts.ts";
import { cellBytes, cellsToGpu, cellsToHost } from "./host-cells.ts";
import type { BufferSpec } from "./kernel.ts";
import type { Recording } from "./recording.ts";

/** A stretch of a layer's buffer, and where it lies among the part's bytes. */
interface Span {
  readonly at: Bytes;
  readonly begin: Bytes;
  readonly bytes: Bytes;
}

export class HostStates {
  readonly #recording: Recording;
  readonly #gpu: ReadonlyMap<BufferSpec, GPUBuffer>;
  readonly #device: GPUDevice;

  constructor(program: {
    readonly recording: Recording;
    readonly gpu: ReadonlyMap<BufferSpec, GPUBuffer>;
    readonly device: GPUDevice;
  }) {
    this.#recording = program.recording;
    this.#gpu = program.gpu;
    this.#device = program.device;
  }

  /** As all that was submitted so far leaves it. */
  async read(place: number, part: StatePart): Promise<Uint8Array> {
    const { MAP_READ, COPY_DST } = GPUBufferUsage;
    const spans = this.#spans(place, part);
    const size = spans.reduce((sum, { bytes }) => sum + bytes, 0);
    const usage = MAP_READ | COPY_DST;
    const staging = this.#device.createBuffer({ label: "state on its way", size, usage });
    try {
      const encoder = this.#device.createCommandEncoder();
      const buffer = this.#buffer(part);
      for (const { at, begin, bytes } of spans) {
        encoder.copyBufferToBuffer(buffer, begin, staging, at, bytes);
      }
      this.#device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const gpu = new Uint8Array(staging.getMappedRange()).slice();
      return part.kind === "state" ? gpu : cellsToHost(gpu, this.#cells(part), part.kind);
    } finally {
      staging.destroy();
    }
  }

  /** Behind all that was submitted so far. */
  write(place: number, part: StatePart, host: Uint8Array): void {
    const gpu =
      part.kind === "state"
        ? Uint8Array.from(host)
        : cellsToGpu(host, this.#cells(part), part.kind);
    const buffer = this.#buffer(part);
    for (const { at, begin, bytes } of this.#spans(place, part)) {
      this.#device.queue.writeBuffer(buffer, begin, gpu, at, bytes);
    }
  }

  /** A ring may begin in its middle. */
  #spans(place: number, part: StatePart): readonly Span[] {
    if (part.kind === "state") {
      return [{ at: 0, begin: place * part.bytes, bytes: part.bytes }];
    }
    const { cells: ring } = this.#cells(part);
    const each = cellBytes(this.#cells(part), part.kind);
    const spans: Span[] = [];
    for (let done = 0; done < part.count; ) {
      const cell = (part.first + done) % ring;
      const count = Math.min(part.count - done, ring - cell);
      const begin = (place * ring + cell) * each;
      spans.push({ at: done * each, begin, bytes: count * each });
      done += count;
    }
    return spans;
  }

  #cells({ layer }: StatePart): ReturnType<typeof requireCells> {
    return requireCells(this.#recording.program.kv, layer);
  }

  #buffer({ kind, layer }: StatePart): GPUBuffer {
    const { keys, values, states } = this.#recording;
    const spec = { keys, values, state: states }[kind][layer];
    const buffer = spec && this.#gpu.get(spec);
    if (buffer === undefined) throw new RangeError(`layer ${layer} has no ${kind}`);
    return buffer;
  }
}
