/**
 * A prepared program on the GPU. A run writes the step's rows, records the kernels that apply to them into one
 * command buffer and submits it; no GPU object besides that command buffer is made.
 */
import { DeviceError } from "../../core/errors.ts";
import type { Slot } from "../../ops/op.ts";
import type { Step } from "../../ops/program.ts";
import { changedSubset, opsOf } from "../../ops/program-ops.ts";
import type { Executable, FfnCounts, MemoryUse, NeuronChange } from "../backend.ts";
import { CallOrder } from "./call-order.ts";
import type { OpenDevice } from "./device.ts";
import { createFfnCounter, type FfnCounter } from "./ffn-counter.ts";
import { type GpuCounts, noGpuCounts } from "./gpu-counts.ts";
import { type BufferSpec, type KernelCall, slotStride } from "./kernel.ts";
import { headStride } from "./kernels/kv.ts";
import type { Compiled, Kernel, Pipelines } from "./pipelines.ts";
import { bytesOf, type Plan, type PlannedSegment } from "./plan.ts";
import { copyOutputs, receive, type Transfer } from "./readback.ts";
import { createRunShape, extentCount, isWanted, measureStep } from "./run-shape.ts";
import { uploadReplaced } from "./upload.ts";

export interface GpuExecutable extends Executable {
  gpuCounts(): GpuCounts;
}

/** A kernel call with the device's objects. */
export interface ReadyCall {
  readonly call: KernelCall;
  readonly kernel: Kernel;
  readonly bindGroup: GPUBindGroup;
}

export interface ReadyProgram {
  readonly plan: Plan;
  readonly open: OpenDevice;
  readonly pipelines: Pipelines;
  readonly gpu: ReadonlyMap<BufferSpec, GPUBuffer>;
  /** By segment. */
  readonly calls: readonly (readonly ReadyCall[])[];
  /** One for each buffer of the cache. */
  readonly copySequence: readonly ReadyCall[];
  /** What prepare compiled. */
  readonly compiled: Compiled;
}

/** An output on the host: room for all rows, and those of the last run. */
interface HostCopy {
  readonly whole: Float32Array;
  rows: Float32Array;
}

type Mutable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

export class WebGpuExecutable implements GpuExecutable {
  readonly memory: MemoryUse;
  readonly #ready: ReadyProgram;
  readonly #shape = createRunShape();
  readonly #stepWords: Uint32Array<ArrayBuffer>;
  /** What the step's buffer holds: the segments of a step share its rows. */
  readonly #sentWords: Uint32Array;
  #sentCount = 0;
  readonly #copyWords: Uint32Array<ArrayBuffer> = new Uint32Array(4);
  readonly #outputs: ReadonlyMap<Slot, HostCopy>;
  readonly #rings: readonly Transfer[][];
  readonly #ffn: FfnCounter;
  readonly #order: CallOrder = new CallOrder();
  #counts: Mutable<GpuCounts> = { ...noGpuCounts };
  #isDisposed = false;

  constructor(ready: ReadyProgram) {
    this.#ready = ready;
    const { plan } = ready;
    const { maxRows, maxOutputs } = plan.program;
    this.memory = {
      mappedWeights: 0,
      copiedWeights: bytesOf(plan, "weights"),
      kvCache: bytesOf(plan, "kv"),
      scratch: bytesOf(plan, "scratch", "staging", "uniform"),
    };
    this.#stepWords = new Uint32Array(4 + 4 * Math.max(maxRows, maxOutputs));
    this.#sentWords = new Uint32Array(this.#stepWords.length);
    const slots = plan.segments.flatMap(({ outputs }) => outputs.map(({ slot }) => slot));
    this.#outputs = new Map(
      slots.map((slot) => {
        const rows = slot.rows === "step" ? maxRows : maxOutputs;
        const whole = new Float32Array(rows * slot.width);
        return [slot, { whole, rows: whole.subarray(0, 0) }];
      }),
    );
    this.#rings = this.#makeRings(plan);
    this.#ffn = createFfnCounter(plan.segments);
    this.#counts.bindGroups = ready.calls.flat().length + ready.copySequence.length;
    this.#counts.buffers = plan.buffers.length;
    this.#counts.bytesUploaded = plan.buffers.reduce(
      (sum, { contents, bytes }) => sum + (contents.length === 0 ? 0 : bytes),
      0,
    );
    this.#compiled(ready.compiled);
  }

  run(segment: number, step: Step): Promise<void> {
    measureStep(this.#shape, step, this.#ready.plan.program);
    const missing = this.#missingKernels(segment);
    if (missing.length === 0 && !this.#order.isWaiting) return this.#run(segment, step);
    const own = structuredClone(step);
    return this.#order.later(this.#compile(missing), () => this.#run(segment, own));
  }

  async finished(): Promise<void> {
    // Asked within this call where nothing waits: what is submitted behind it must not be waited for.
    if (this.#order.isWaiting) await this.#order.settled();
    await this.#ready.open.device.queue.onSubmittedWorkDone();
    const failure = this.#failure();
    if (failure !== undefined) throw failure;
  }

  output(slot: Slot): Float32Array {
    return this.#hostCopy(slot).rows;
  }

  write(slot: Slot, data: Float32Array): void {
    if (!this.#order.isWaiting) {
      this.#write(slot, data);
      return;
    }
    const own = data.slice();
    // A failure shows in the next run.
    this.#order.later(Promise.resolve(), async () => this.#write(slot, own)).catch(() => undefined);
  }

  #write(slot: Slot, data: Float32Array): void {
    const spec = this.#ready.plan.slots[slot.id];
    if (spec === undefined) throw new RangeError(`slot ${slot.name} is not of this program`);
    const { queue } = this.#ready.open.device;
    const stride = slotStride(slot.width);
    const owned = data.buffer instanceof ArrayBuffer ? data : data.slice();
    if (stride === slot.width) {
      queue.writeBuffer(this.#buffer(spec), 0, owned.buffer, owned.byteOffset, owned.byteLength);
    } else {
      for (let row = 0; row * slot.width < data.length; row++) {
        const part = owned.slice(row * slot.width, (row + 1) * slot.width);
        queue.writeBuffer(this.#buffer(spec), row * stride * 4, part.buffer, 0, part.byteLength);
      }
    }
    this.#counts.bytesUploaded += data.byteLength;
  }

  copySequence(from: number, to: number, length: number): Promise<void> {
    const kernels = this.#ready.copySequence.map(({ kernel }) => kernel);
    const isCompiled = kernels.every(({ pipeline }) => pipeline !== undefined);
    if (isCompiled && !this.#order.isWaiting) return this.#copySequence(from, to, length);
    return this.#order.later(this.#compile(kernels), () => this.#copySequence(from, to, length));
  }

  #copySequence(from: number, to: number, length: number): Promise<void> {
    const failure = this.#failure();
    if (failure !== undefined) return Promise.reject(failure);
    const { plan, open, copySequence } = this.#ready;
    const { kv } = plan.program;
    if (from === to || length === 0) return Promise.resolve();
    const perPosition = (kv.kvHeads * headStride(kv.headDim)) / (kv.type === "f32" ? 1 : 2);
    const first = (sequence: number): number => sequence * kv.contextLength * perPosition;
    this.#copyWords.set([first(from), first(to), length * perPosition, 0]);
    open.device.queue.writeBuffer(this.#buffer(plan.copyRequest), 0, this.#copyWords);
    const encoder = open.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    // 256 workgroups loop over any length.
    for (const { kernel, bindGroup } of copySequence) {
      if (kernel.pipeline === undefined) continue;
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(256);
    }
    pass.end();
    open.device.queue.submit([encoder.finish()]);
    this.#counts.submits++;
    this.#counts.dispatches += copySequence.length;
    return Promise.resolve();
  }

  async replaceNeurons(change: NeuronChange): Promise<void> {
    await this.#order.settled();
    const failure = this.#failure();
    if (failure !== undefined) throw failure;
    const { device } = this.#ready.open;
    for (const { block } of opsOf(this.#ready.plan.program).filter((op) => op.kind === "ffn")) {
      const { layer, subset } = block;
      if (layer !== change.layer || subset === undefined) continue;
      const changed = changedSubset(subset, change);
      const places = [...changed.keys()].filter((at) => changed[at] !== subset[at]);
      // Whoever made buffers of the subset looks at it again.
      subset.set(changed);
      this.#counts.bytesUploaded += uploadReplaced(this.#ready.gpu, subset, { places, device });
    }
  }

  ffnCounts(): readonly FfnCounts[] {
    return this.#ffn.take();
  }

  gpuCounts(): GpuCounts {
    const counts = this.#counts;
    this.#counts = { ...noGpuCounts };
    return counts;
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    for (const buffer of this.#ready.gpu.values()) buffer.destroy();
    for (const { buffer } of this.#rings.flat()) buffer.destroy();
  }

  /** Kernels that the step whose shape was measured last needs and that are not compiled yet. */
  #missingKernels(segment: number): readonly Kernel[] {
    const missing: Kernel[] = [];
    for (const { call, kernel } of this.#ready.calls[segment] ?? []) {
      if (kernel.pipeline === undefined && isWanted(call, this.#shape)) missing.push(kernel);
    }
    return missing;
  }

  async #compile(kernels: readonly Kernel[]): Promise<void> {
    try {
      this.#compiled(await this.#ready.pipelines.compile(kernels));
    } catch (error) {
      throw this.#failure() ?? error;
    }
  }

  #compiled({ pipelines, milliseconds }: Compiled): void {
    this.#counts.pipelines += pipelines;
    this.#counts.pipelineMilliseconds += milliseconds;
  }

  #run(segment: number, step: Step): Promise<void> {
    const failure = this.#failure();
    if (failure !== undefined) return Promise.reject(failure);
    const planned = this.#ready.plan.segments[segment];
    if (planned === undefined) return Promise.reject(new RangeError(`no segment ${segment}`));
    try {
      return this.#submit(planned, segment, step);
    } catch (error) {
      return Promise.reject(this.#failure() ?? error);
    }
  }

  #submit(planned: PlannedSegment, segment: number, step: Step): Promise<void> {
    const { device } = this.#ready.open;
    measureStep(this.#shape, step, this.#ready.plan.program);
    this.#writeStep(step);
    const encoder = device.createCommandEncoder();
    this.#dispatch(encoder, this.#ready.calls[segment] ?? []);
    const transfer = planned.staging.length === 0 ? undefined : this.#freeTransfer(segment);
    if (transfer !== undefined) {
      const gpu = (spec: BufferSpec): GPUBuffer => this.#buffer(spec);
      const to = { to: transfer.buffer, shape: this.#shape };
      this.#counts.bytesReadBack += copyOutputs(encoder, { segment: planned, gpu }, to);
    }
    device.queue.submit([encoder.finish()]);
    this.#counts.submits++;
    this.#counts.runs++;
    this.#ffn.ran(planned, this.#shape);
    if (transfer === undefined) return Promise.resolve();
    transfer.isBusy = true;
    transfer.rows = this.#shape.rows;
    transfer.outputs = this.#shape.outputs;
    return this.#receive(planned, transfer);
  }

  async #receive(planned: PlannedSegment, transfer: Transfer): Promise<void> {
    try {
      await receive(planned, transfer, {
        output: (slot, rows) => this.#hostRows(slot, rows),
        counted: (counts, rows) => this.#ffn.counted(planned, counts, rows),
      });
    } catch (error) {
      // The reason of a loss arrives in a promise of its own, a turn later.
      await new Promise((resolve) => setImmediate(resolve));
      throw this.#failure() ?? error;
    }
    const failure = this.#failure();
    if (failure !== undefined) throw failure;
  }

  #hostCopy(slot: Slot): HostCopy {
    const copy = this.#outputs.get(slot);
    if (copy === undefined) throw new RangeError(`slot ${slot.name} is no output of a segment`);
    return copy;
  }

  /** Where `rows` rows of an output go; a new view only when their number changes. */
  #hostRows(slot: Slot, rows: number): Float32Array {
    const copy = this.#hostCopy(slot);
    const length = rows * slot.width;
    if (copy.rows.length !== length) copy.rows = copy.whole.subarray(0, length);
    return copy.rows;
  }

  #dispatch(encoder: GPUCommandEncoder, calls: readonly ReadyCall[]): void {
    const pass = encoder.beginComputePass();
    for (const { call, kernel, bindGroup } of calls) {
      if (kernel.pipeline === undefined || !isWanted(call, this.#shape)) continue;
      const x = extentCount(call.groups[0], this.#shape);
      const y = extentCount(call.groups[1], this.#shape);
      const z = extentCount(call.groups[2], this.#shape);
      if (x * y * z === 0) continue;
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(x, y, z);
      this.#counts.dispatches++;
    }
    pass.end();
  }

  #writeStep(step: Step): void {
    const words = this.#stepWords;
    words[0] = step.rowCount;
    words[1] = step.outputCount;
    words[2] = this.#shape.splits;
    words[3] = this.#shape.splitLength;
    const rows = Math.max(step.rowCount, step.outputCount);
    for (let row = 0; row < rows; row++) {
      words[4 + row * 4] = step.sequence[row] ?? 0;
      words[5 + row * 4] = step.position[row] ?? 0;
      words[6 + row * 4] = step.token[row] ?? 0;
      words[7 + row * 4] = step.outputRow[row] ?? 0;
    }
    const count = 4 + rows * 4;
    if (this.#hasSent(count)) return;
    const { queue } = this.#ready.open.device;
    queue.writeBuffer(this.#buffer(this.#ready.plan.step), 0, words, 0, count);
    this.#sentWords.set(words.subarray(0, count));
    this.#sentCount = count;
    this.#counts.bytesUploaded += count * 4;
  }

  #hasSent(count: number): boolean {
    if (count > this.#sentCount) return false;
    for (let i = 0; i < count; i++) if (this.#sentWords[i] !== this.#stepWords[i]) return false;
    return true;
  }

  /** Segments that read back as many bytes share a ring: its buffers are busy only while outputs are on the way. */
  #makeRings({ segments }: Plan): readonly Transfer[][] {
    const rings = new Map<BufferSpec | undefined, Transfer[]>();
    return segments.map(({ staging }) => {
      const [first] = staging;
      const known = rings.get(first);
      if (known !== undefined) return known;
      const ring = staging.map((spec) => ({
        buffer: this.#buffer(spec),
        rows: 0,
        outputs: 0,
        isBusy: false,
      }));
      rings.set(first, ring);
      return ring;
    });
  }

  #freeTransfer(segment: number): Transfer {
    const ring = this.#rings[segment] ?? [];
    const free = ring.find(({ isBusy }) => !isBusy);
    if (free !== undefined) return free;
    const size = ring[0]?.buffer.size ?? 0;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const buffer = this.#ready.open.device.createBuffer({ label: "staging", size, usage });
    const transfer: Transfer = { buffer, rows: 0, outputs: 0, isBusy: false };
    ring.push(transfer);
    this.#counts.buffers++;
    return transfer;
  }

  #buffer(spec: BufferSpec): GPUBuffer {
    const buffer = this.#ready.gpu.get(spec);
    if (buffer === undefined) throw new RangeError(`buffer ${spec.label} was not allocated`);
    return buffer;
  }

  #failure(): DeviceError | undefined {
    if (this.#isDisposed) return new DeviceError("this program was closed");
    return this.#ready.open.failure();
  }
}
