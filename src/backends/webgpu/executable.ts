/**
 * A compiled program on the GPU. A run writes the step's rows, records the kernels that apply to them and submits them,
 * long steps in pieces; no GPU objects besides the command buffers are made.
 */
import { DeviceError } from "../../core/errors.ts";
import type { Slot } from "../../ops/op.ts";
import type { Step } from "../../ops/program.ts";
import type { StatePart } from "../../ops/state-parts.ts";
import type {
  ChannelCounts,
  Executable,
  FfnCounts,
  MemoryUse,
  NeuronChange,
  NeuronCounts,
  OutputUse,
  ShownRow,
  StatePlace,
} from "../backend.ts";
import type { ExecutableReport, GpuCounts } from "../executable-report.ts";
import { StatePositions } from "../state-positions.ts";
import { CallOrder } from "./call-order.ts";
import { createFfnCounter, type FfnCounter } from "./ffn-counter.ts";
import { noGpuCounts } from "./gpu-counts.ts";
import { HostStates } from "./host-states.ts";
import { type BufferSpec, slotStride } from "./kernel.ts";
import type { Compiled, Kernel } from "./pipelines.ts";
import { Readback } from "./readback.ts";
import {
  isCompiled,
  loadCounts,
  missingKernels,
  type ReadyCall,
  type ReadyProgram,
  stepWork,
} from "./ready-program.ts";
import { bytesOf } from "./recording.ts";
import type { StreamedBuffers } from "./recording-buffers.ts";
import { createRunShape, extentCount, isWanted, measureStep } from "./run-shape.ts";
import { type CopyRequest, StateCopies } from "./state-copies.ts";
import { StepWords } from "./step-words.ts";
import { StreamedRuns } from "./streamed-runs.ts";
import { SubmissionCuts } from "./submission-cuts.ts";
import { replaceSubsets } from "./upload.ts";
import { workOf } from "./work.ts";

export interface GpuExecutable extends Executable {
  /** What the GPU was asked to do since the last call. */
  gpuCounts(): GpuCounts;
}

type Mutable<Record> = { -readonly [Key in keyof Record]: Record[Key] };

export class WebGpuExecutable implements GpuExecutable {
  readonly memory: MemoryUse;
  readonly counts = "blocks";
  readonly canReplaceNeurons = true;
  readonly #ready: ReadyProgram;
  readonly #shape = createRunShape();
  readonly #stepWords: StepWords;
  readonly #positions: StatePositions;
  readonly #copies: StateCopies;
  readonly #cuts: SubmissionCuts;
  readonly #readback: Readback;
  readonly #hostStates: HostStates;
  readonly #streamed: StreamedRuns;
  readonly #ffn: FfnCounter;
  readonly #order: CallOrder = new CallOrder();
  #counts: Mutable<GpuCounts> = { ...noGpuCounts };
  #isDisposed = false;

  constructor(ready: ReadyProgram) {
    this.#ready = ready;
    const { recording } = ready;
    this.memory = {
      mappedWeights: 0,
      copiedWeights: bytesOf(recording, "weights"),
      kvCache: bytesOf(recording, "kv"),
      scratch: bytesOf(recording, "scratch", "staging", "uniform", "window"),
    };
    this.#stepWords = new StepWords(recording.program);
    this.#positions = new StatePositions(recording.program);
    this.#cuts = new SubmissionCuts(ready.cuts);
    this.#ffn = createFfnCounter(recording.segments);
    const { gpu, open } = ready;
    this.#copies = new StateCopies(open.device, this.#buffer(recording.copyRequest));
    this.#streamed = new StreamedRuns(ready);
    this.#hostStates = new HostStates({ recording, gpu, device: open.device });
    this.#readback = new Readback(
      { recording, gpu, device: open.device },
      {
        counted: (segment, counts, shape) => this.#ffn.counted(segment, counts, shape),
        grew: () => this.#counts.buffers++,
        failure: () => this.#failure(),
      },
    );
    this.#counts = { ...noGpuCounts, ...loadCounts(ready) };
    this.#compiled(ready.compiled);
  }

  run(segment: number, step: Step, outputs: OutputUse = "read"): Promise<void> {
    try {
      this.#positions.advance(segment, step);
    } catch (error) {
      return Promise.reject(error);
    }
    const { streamed } = this.#ready.recording.segments[segment] ?? {};
    if (streamed !== undefined) return this.#runStreamed(segment, streamed, structuredClone(step));
    if (!this.#order.isWaiting) {
      measureStep(this.#shape, step, this.#ready.recording.program);
      if (isCompiled(this.#ready.calls[segment] ?? [], this.#shape)) {
        return this.#run(segment, step, outputs);
      }
    }
    return this.#runLater(segment, structuredClone(step), outputs);
  }

  /** The step's shape is measured again when its turn comes: others are run in between. */
  #runLater(segment: number, step: Step, outputs: OutputUse): Promise<void> {
    const { program } = this.#ready.recording;
    measureStep(this.#shape, step, program);
    return this.#order.later(this.#compile(this.#missingKernels(segment)), () => {
      measureStep(this.#shape, step, program);
      return this.#run(segment, step, outputs);
    });
  }

  /** Nothing else is submitted while its weights come. */
  async #runStreamed(segment: number, streamed: StreamedBuffers, step: Step): Promise<void> {
    const { recording, calls } = this.#ready;
    const measure = (): void => measureStep(this.#shape, step, recording.program);
    const { done } = await this.#order.hold(async () => {
      measure();
      await this.#compile(this.#missingKernels(segment));
      measure();
      this.#check();
      this.#writeStep(step);
      const wanted = (calls[segment] ?? []).filter(({ call }) => isWanted(call, this.#shape));
      const bytes = await this.#streamed.run(streamed, wanted, (some) => {
        this.#check();
        measure(); // What waits behind it has measured its own.
        this.#ready.open.device.queue.submit([this.#dispatch(some).finish()]);
        this.#counts.submits++;
      });
      this.#counts.bytesStreamed += bytes;
      this.#counts.bytesUploaded += bytes;
      measure();
      return { done: this.#run(segment, step, "read", []) };
    });
    await done;
  }

  async finished(): Promise<void> {
    // Asked within this call where nothing waits: what is submitted behind it must not be waited for.
    if (this.#order.isWaiting) await this.#order.settled();
    await this.#ready.open.device.queue.onSubmittedWorkDone();
    this.#check();
  }

  output(slot: Slot): Float32Array {
    return this.#readback.output(slot);
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
    if (this.#isDisposed) return; // The next run says so.
    const spec = this.#ready.recording.slots[slot.id];
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
    this.#positions.copy(from, to, length);
    if (from === to || length === 0) return Promise.resolve();
    const { copySequence, copyState } = this.#ready;
    return this.#copyInTurn([...copySequence, ...copyState], [from, to, length]);
  }

  async saveState(sequence: number, slot: number): Promise<void> {
    const to = this.#positions.save(sequence, slot);
    await this.#copyPlace(sequence, to);
  }

  async restoreState(slot: number, sequence: number): Promise<void> {
    const from = this.#positions.restore(slot, sequence);
    await this.#copyPlace(from, sequence);
  }

  /** What the layers that keep checkpoints remember: whole rings, and states. */
  #copyPlace(from: number, to: number): Promise<void> {
    const { copyRings, copyState, recording } = this.#ready;
    const { contextLength } = recording.program.kv;
    return this.#copyInTurn([...copyRings, ...copyState], [from, to, contextLength]);
  }

  readState({ place }: StatePlace, part: StatePart): Promise<Uint8Array> {
    return this.#inTurn(() =>
      this.#hostStates.read(place, part).catch((error: unknown) => {
        throw this.#failure() ?? error;
      }),
    );
  }

  writeState({ place, length }: StatePlace, part: StatePart, bytes: Uint8Array): Promise<void> {
    this.#positions.wrote(place, part.layer, length);
    return this.#inTurn(async () => this.#hostStates.write(place, part, bytes));
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const failure = this.#failure();
    if (failure !== undefined) return Promise.reject(failure);
    return this.#order.isWaiting ? this.#order.later(Promise.resolve(), work) : work();
  }

  #copyInTurn(calls: readonly ReadyCall[], request: CopyRequest): Promise<void> {
    const kernels = calls.map(({ kernel }) => kernel);
    const isCompiled = kernels.every(({ pipeline }) => pipeline !== undefined);
    if (isCompiled && !this.#order.isWaiting) return this.#copy(calls, request);
    return this.#order.later(this.#compile(kernels), () => this.#copy(calls, request));
  }

  #copy(calls: readonly ReadyCall[], request: CopyRequest): Promise<void> {
    const failure = this.#failure();
    if (failure !== undefined) return Promise.reject(failure);
    this.#copies.submit(calls, request);
    this.#counts.submits++;
    this.#counts.dispatches += calls.length;
    return Promise.resolve();
  }

  /** Written within the call where nothing waits, else in its turn: no run that was asked for later comes before it. */
  replaceNeurons(change: NeuronChange): Promise<void> {
    if (!this.#order.isWaiting) return this.#replaceNeurons(change);
    const own = structuredClone(change);
    return this.#order.later(Promise.resolve(), () => this.#replaceNeurons(own));
  }

  async #replaceNeurons(change: NeuronChange): Promise<void> {
    this.#check();
    const { gpu, recording, open } = this.#ready;
    const card = { buffers: gpu, device: open.device };
    this.#counts.bytesUploaded += replaceSubsets(recording.program, change, card);
  }

  ffnCounts(): readonly FfnCounts[] {
    return this.#ffn.take();
  }

  async neuronCounts(): Promise<readonly NeuronCounts[]> {
    return [];
  }

  async shownRow(): Promise<ShownRow> {
    return { sets: [], timeline: [] };
  }

  channelCounts(): readonly ChannelCounts[] {
    return [];
  }

  async report(): Promise<ExecutableReport> {
    return { timeline: [] };
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
    this.#readback[Symbol.dispose]();
    this.#streamed[Symbol.dispose]();
  }

  /** Of the step whose shape was measured last. */
  #missingKernels(segment: number): readonly Kernel[] {
    return missingKernels(this.#ready.calls[segment] ?? [], this.#shape);
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

  /** `calls`: those that are still to be submitted. */
  #run(
    segment: number,
    step: Step,
    outputs: OutputUse,
    calls: readonly ReadyCall[] = this.#ready.calls[segment] ?? [],
  ): Promise<void> {
    const failure = this.#failure();
    if (failure !== undefined) return Promise.reject(failure);
    const recorded = this.#ready.recording.segments[segment];
    if (recorded === undefined) return Promise.reject(new RangeError(`no segment ${segment}`));
    try {
      this.#writeStep(step);
      const encoder = this.#dispatch(calls);
      const read = outputs === "read" ? this.#readback : undefined;
      const transfer = read?.begin(segment, encoder, this.#shape);
      this.#ready.open.device.queue.submit([encoder.finish()]);
      this.#counts.submits++;
      this.#counts.runs++;
      this.#ffn.ran(recorded, this.#shape);
      if (transfer === undefined) return Promise.resolve();
      this.#counts.bytesReadBack += transfer.bytes;
      return this.#readback.receive(segment, transfer);
    } catch (error) {
      return Promise.reject(this.#failure() ?? error);
    }
  }

  /** Records the calls that apply and submits all but the last piece, which it returns. */
  #dispatch(calls: readonly ReadyCall[]): GPUCommandEncoder {
    const { device } = this.#ready.open;
    this.#cuts.begin(stepWork(calls, this.#shape));
    let encoder = device.createCommandEncoder();
    let pass = encoder.beginComputePass();
    for (const { call, kernel, bindGroup } of calls) {
      if (kernel.pipeline === undefined || !isWanted(call, this.#shape)) continue;
      const x = extentCount(call.groups[0], this.#shape);
      const y = extentCount(call.groups[1], this.#shape);
      const z = extentCount(call.groups[2], this.#shape);
      if (x * y * z === 0) continue;
      if (this.#cuts.isBefore(workOf(call, this.#shape))) {
        pass.end();
        device.queue.submit([encoder.finish()]);
        this.#counts.submits++;
        encoder = device.createCommandEncoder();
        pass = encoder.beginComputePass();
      }
      pass.setPipeline(kernel.pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(x, y, z);
      this.#counts.dispatches++;
    }
    pass.end();
    return encoder;
  }

  #writeStep(step: Step): void {
    const count = this.#stepWords.fill(step, this.#shape);
    if (count === 0) return;
    const { queue } = this.#ready.open.device;
    queue.writeBuffer(this.#buffer(this.#ready.recording.step), 0, this.#stepWords.words, 0, count);
    this.#counts.bytesUploaded += count * 4;
  }

  #buffer(spec: BufferSpec): GPUBuffer {
    const buffer = this.#ready.gpu.get(spec);
    if (buffer === undefined) throw new RangeError(`buffer ${spec.label} was not allocated`);
    return buffer;
  }

  #check(): void {
    const failure = this.#failure();
    if (failure !== undefined) throw failure;
  }

  #failure(): DeviceError | undefined {
    if (this.#isDisposed) return new DeviceError("this program was closed");
    return this.#ready.open.failure();
  }
}
