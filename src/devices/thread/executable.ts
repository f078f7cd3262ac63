/** A program that runs in a device's thread: steps and outputs lie in shared memory, everything else is a message. */
import type {
  ChannelCounts,
  Executable,
  FfnCounts,
  MemoryUse,
  NeuronChange,
  NeuronCounts,
  ShownRow,
  StatePlace,
} from "../../backends/backend.ts";
import type { ExecutableReport } from "../../backends/executable-report.ts";
import { HearthError } from "../../core/errors.ts";
import type { Slot } from "../../ops/op.ts";
import type { Program, Step } from "../../ops/program.ts";
import type { StatePart } from "../../ops/state-parts.ts";
import type { WorkerLink } from "./link.ts";
import type { ExecutableFacts, SharedMemory } from "./protocol.ts";
import { RunCounts } from "./run-counts.ts";
import { type StepView, viewSharedStep } from "./shared-step.ts";

interface StepPlace {
  readonly view: StepView;
  isBusy: boolean;
}

export class WorkerExecutable implements Executable {
  readonly memory: MemoryUse;
  readonly counts: Executable["counts"];
  readonly canReplaceNeurons: boolean;
  readonly #link: WorkerLink;
  readonly #program: Program;
  readonly #places: readonly StepPlace[];
  readonly #outputs: ReadonlyMap<number, Float32Array>;
  readonly #ran: RunCounts = new RunCounts();
  #lastStep = { rows: 0, outputs: 0 };
  /** Calls that wait for a free place, or behind one that does. */
  #heldCalls = 0;
  /** Resolves when the last of them has been sent. */
  #held: Promise<void> = Promise.resolve();
  #onFreePlace: (() => void) | undefined;

  constructor(
    link: WorkerLink,
    made: {
      readonly program: Program;
      readonly shared: SharedMemory;
      readonly facts: ExecutableFacts;
    },
  ) {
    this.#link = link;
    this.#program = made.program;
    this.memory = made.facts.memory;
    this.counts = made.facts.counts;
    this.canReplaceNeurons = made.facts.canReplaceNeurons;
    this.#places = made.shared.steps.map((step) => ({
      view: viewSharedStep(step, made.program),
      isBusy: false,
    }));
    this.#outputs = new Map(
      [...made.shared.outputs].map(([id, buffer]) => [id, new Float32Array(buffer)]),
    );
  }

  run(segment: number, step: Step): Promise<void> {
    if (this.#heldCalls === 0 && this.#freePlace >= 0) return this.#run(segment, step);
    const own = structuredClone(step);
    return this.#hold(() => this.#run(segment, own));
  }

  output(slot: Slot): Float32Array {
    const data = this.#outputs.get(slot.id);
    if (data === undefined) throw new HearthError(`slot ${slot.name} is no segment's output`);
    const { rows, outputs } = this.#lastStep;
    return data.subarray(0, (slot.rows === "outputs" ? outputs : rows) * slot.width);
  }

  write(slot: Slot, data: Float32Array): void {
    const own = this.#heldCalls === 0 ? data : data.slice();
    const done = this.#inOrder(() =>
      this.#link.ask({ kind: "write", slot: slot.id, data: own }, "done"),
    );
    // A failure shows in the next run.
    done.catch(() => undefined);
  }

  async copySequence(from: number, to: number, length: number): Promise<void> {
    await this.#inOrder(() => this.#link.ask({ kind: "copy", from, to, length }, "done"));
  }

  async saveState(sequence: number, slot: number): Promise<void> {
    await this.#inOrder(() => this.#link.ask({ kind: "save", sequence, slot }, "done"));
  }

  async restoreState(slot: number, sequence: number): Promise<void> {
    await this.#inOrder(() => this.#link.ask({ kind: "restore", slot, sequence }, "done"));
  }

  async readState(at: StatePlace, part: StatePart): Promise<Uint8Array> {
    const answer = await this.#inOrder(() =>
      this.#link.ask({ kind: "read-state", at, part }, "state"),
    );
    return answer.bytes;
  }

  async writeState(at: StatePlace, part: StatePart, bytes: Uint8Array): Promise<void> {
    await this.#inOrder(() => this.#link.ask({ kind: "write-state", at, part, bytes }, "done"));
  }

  async finished(): Promise<void> {
    await this.#inOrder(() => this.#link.ask({ kind: "finish" }, "done"));
  }

  ffnCounts(): readonly FfnCounts[] {
    return this.#ran.takeFfn();
  }

  channelCounts(): readonly ChannelCounts[] {
    return this.#ran.takeChannels();
  }

  async neuronCounts(): Promise<readonly NeuronCounts[]> {
    const answer = await this.#inOrder(() => this.#link.ask({ kind: "neurons" }, "neurons"));
    return answer.counts;
  }

  async shownRow(): Promise<ShownRow> {
    const answer = await this.#inOrder(() => this.#link.ask({ kind: "shown" }, "shown"));
    return answer.shown;
  }

  async replaceNeurons(change: NeuronChange): Promise<void> {
    const own = this.#heldCalls === 0 ? change : structuredClone(change);
    await this.#inOrder(() => this.#link.ask({ kind: "replace", change: own }, "done"));
  }

  async report(): Promise<ExecutableReport> {
    const answer = await this.#inOrder(() => this.#link.ask({ kind: "report" }, "report"));
    return answer.report;
  }

  /** The thread has one program: it goes with the backend. */
  [Symbol.dispose](): void {}

  get #freePlace(): number {
    return this.#places.findIndex(({ isBusy }) => !isBusy);
  }

  /** A place must be free. */
  async #run(segment: number, step: Step): Promise<void> {
    const index = this.#freePlace;
    const place = this.#places[index];
    if (place === undefined) throw new RangeError("all shared steps are on the way");
    place.isBusy = true;
    place.view.store(step);
    const ran = { rows: step.rowCount, outputs: step.outputCount };
    try {
      const answer = await this.#link.ask({ kind: "run", segment, step: index }, "ran");
      this.#ran.add(answer.ffn, answer.channels);
      if ((this.#program.segments[segment]?.outputs.length ?? 0) > 0) this.#lastStep = ran;
    } finally {
      place.isBusy = false;
      this.#onFreePlace?.();
    }
  }

  /** At once, unless an earlier call is held. */
  #inOrder<Result>(send: () => Promise<Result>): Promise<Result> {
    return this.#heldCalls === 0 ? send() : this.#hold(send);
  }

  /** Behind all held calls, when a place is free: rare, since few steps are on the way at once. */
  #hold<Result>(send: () => Promise<Result>): Promise<Result> {
    this.#heldCalls++;
    const turn = this.#held.then(() => this.#placeIsFree());
    const done = turn.then(() => {
      this.#heldCalls--;
      return send();
    });
    // Behind `done` in the order of callbacks: the next held call looks for a place after this one took its own.
    this.#held = turn.then(() => undefined);
    return done;
  }

  #placeIsFree(): Promise<void> {
    if (this.#freePlace >= 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onFreePlace = resolve;
    });
  }
}
