/**
 * An executable that passes everything on to another one: what decorators extend, so that each says only what it changes.
 * A method that is added to Executable does not compile until it is passed on here.
 */
import type { Slot } from "../ops/op.ts";
import type { Step } from "../ops/program.ts";
import type { StatePart } from "../ops/state-parts.ts";
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
} from "./backend.ts";
import type { ExecutableReport } from "./executable-report.ts";

export class ForwardingExecutable<Inner extends Executable = Executable> implements Executable {
  protected readonly inner: Inner;

  constructor(inner: Inner) {
    this.inner = inner;
  }

  get memory(): MemoryUse {
    return this.inner.memory;
  }

  get counts(): Executable["counts"] {
    return this.inner.counts;
  }

  get canReplaceNeurons(): boolean {
    return this.inner.canReplaceNeurons;
  }

  run(segment: number, step: Step, outputs?: OutputUse): Promise<void> {
    return this.inner.run(segment, step, outputs);
  }

  output(slot: Slot): Float32Array {
    return this.inner.output(slot);
  }

  write(slot: Slot, data: Float32Array): void {
    this.inner.write(slot, data);
  }

  copySequence(from: number, to: number, length: number): Promise<void> {
    return this.inner.copySequence(from, to, length);
  }

  saveState(sequence: number, slot: number): Promise<void> {
    return this.inner.saveState(sequence, slot);
  }

  restoreState(slot: number, sequence: number): Promise<void> {
    return this.inner.restoreState(slot, sequence);
  }

  readState(at: StatePlace, part: StatePart): Promise<Uint8Array> {
    return this.inner.readState(at, part);
  }

  writeState(at: StatePlace, part: StatePart, bytes: Uint8Array): Promise<void> {
    return this.inner.writeState(at, part, bytes);
  }

  finished(): Promise<void> {
    return this.inner.finished();
  }

  ffnCounts(): readonly FfnCounts[] {
    return this.inner.ffnCounts();
  }

  neuronCounts(): Promise<readonly NeuronCounts[]> {
    return this.inner.neuronCounts();
  }

  shownRow(): Promise<ShownRow> {
    return this.inner.shownRow();
  }

  channelCounts(): readonly ChannelCounts[] {
    return this.inner.channelCounts();
  }

  replaceNeurons(change: NeuronChange): Promise<void> {
    return this.inner.replaceNeurons(change);
  }

  report(): Promise<ExecutableReport> {
    return this.inner.report();
  }

  [Symbol.dispose](): void {
    this.inner[Symbol.dispose]();
  }
}
