/**
 * A device in a thread of its own, as a backend: the host program's event loop never delays a layer.
 * Runs as compiled JavaScript only: Node 20 cannot start a thread from TypeScript sources.
 */
import { Worker } from "node:worker_threads";
import type { CompileOptions, FfnCounts, MemoryUse, NeuronCounts } from "../../backends/backend.ts";
import { DeviceError, HearthError } from "../../core/errors.ts";
import type { Slot } from "../../ops/op.ts";
import type { Program, Step } from "../../ops/program.ts";
import type { TimelineEvent } from "../hybrid/timeline.ts";
import {
  type DeviceBackend,
  type DeviceExecutable,
  type DeviceReport,
  type DeviceSpec,
  openDevice,
} from "./device.ts";
import { type Answer, fromPlainError, type Request, type SharedMemory } from "./protocol.ts";
import { createSharedStep, type StepView, viewSharedStep } from "./shared-step.ts";

/** Steps on the way at once before run must wait: the model, its read, and the same of a next step. */
const sharedSteps = 4;
/** How long a thread may take to close its device before it is ended. */
const closeMilliseconds = 2000;

/** In a thread of its own where hearth runs compiled, else in this one (tests). @throws as openDevice. */
export async function createDeviceBackend(spec: DeviceSpec): Promise<DeviceBackend> {
  if (!import.meta.url.endsWith(".js")) return openDevice(spec);
  return openWorker(spec, new URL("./worker.js", import.meta.url));
}

/** The same with another thread, which must speak worker-protocol.ts. */
export async function openWorker(spec: DeviceSpec, file: URL): Promise<DeviceBackend> {
  const link = new WorkerLink(new Worker(file));
  try {
    const opened = await link.ask({ kind: "open", spec });
    if (opened.kind !== "opened") throw unexpected(opened);
    return {
      description: opened.description,
      compile: (program, options = {}) => compile(link, program, options),
      [Symbol.dispose]: () => link.close(),
    };
  } catch (error) {
    link.close();
    throw error;
  }
}

async function compile(
  link: WorkerLink,
  program: Program,
  options: CompileOptions,
): Promise<DeviceExecutable> {
  options.signal?.throwIfAborted();
  const onAbort = (): void => void link.ask({ kind: "abort" }).catch(() => undefined);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const shared = createSharedMemory(program);
  try {
    const compiled = await link.ask({ kind: "compile", program, shared }, options);
    if (compiled.kind !== "compiled") throw unexpected(compiled);
    return new WorkerExecutable(link, { program, shared, memory: compiled.memory });
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
  }
}

function createSharedMemory(program: Program): SharedMemory {
  const outputs = program.segments.flatMap((segment) => [...segment.outputs]);
  return {
    steps: Array.from({ length: sharedSteps }, () => createSharedStep(program)),
    outputs: new Map(
      outputs.map(({ id, rows, width }) => {
        const count = rows === "step" ? program.maxRows : program.maxOutputs;
        return [id, new SharedArrayBuffer(4 * count * width)];
      }),
    ),
  };
}

class WorkerExecutable implements DeviceExecutable {
  readonly memory: MemoryUse;
  readonly #link: WorkerLink;
  readonly #program: Program;
  readonly #steps: readonly { readonly view: StepView; isBusy: boolean }[];
  readonly #outputs: ReadonlyMap<number, Float32Array>;
  #lastStep = { rows: 0, outputs: 0 };
  #counts: FfnCounts[] = [];
  #queue: Promise<void> = Promise.resolve();

  constructor(
    link: WorkerLink,
    made: {
      readonly program: Program;
      readonly shared: SharedMemory;
      readonly memory: MemoryUse;
    },
  ) {
    this.#link = link;
    this.#program = made.program;
    this.memory = made.memory;
    this.#steps = made.shared.steps.map((step) => ({
      view: viewSharedStep(step, made.program),
      isBusy: false,
    }));
    this.#outputs = new Map(
      [...made.shared.outputs].map(([id, buffer]) => [id, new Float32Array(buffer)]),
    );
  }

  run(segment: number, step: Step): Promise<void> {
    const place = this.#steps.findIndex(({ isBusy }) => !isBusy);
    const shared = this.#steps[place];
    if (shared === undefined) return this.#runLater(segment, step);
    shared.isBusy = true;
    shared.view.store(step);
    const done = this.#finish(segment, { rows: step.rowCount, outputs: step.outputCount }, place);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  output(slot: Slot): Float32Array {
    const data = this.#outputs.get(slot.id);
    if (data === undefined) throw new HearthError(`slot ${slot.name} is no segment's output`);
    const { rows, outputs } = this.#lastStep;
    return data.subarray(0, (slot.rows === "outputs" ? outputs : rows) * slot.width);
  }

  write(slot: Slot, data: Float32Array): void {
    // A failure shows in the next run.
    this.#link.ask({ kind: "write", slot: slot.id, data }).catch(() => undefined);
  }

  async copySequence(from: number, to: number, length: number): Promise<void> {
    await this.#link.ask({ kind: "copy", from, to, length });
  }

  ffnCounts(): readonly FfnCounts[] {
    const taken = this.#counts;
    this.#counts = [];
    return taken;
  }

  async neuronCounts(): Promise<readonly NeuronCounts[]> {
    const answer = await this.#link.ask({ kind: "neurons" });
    if (answer.kind !== "neurons") throw unexpected(answer);
    return answer.counts;
  }

  async report(): Promise<DeviceReport> {
    const answer = await this.#link.ask({ kind: "report" });
    if (answer.kind !== "report") throw unexpected(answer);
    return answer.report;
  }

  async timeline(): Promise<readonly TimelineEvent[]> {
    const answer = await this.#link.ask({ kind: "timeline" });
    if (answer.kind !== "timeline") throw unexpected(answer);
    return answer.events;
  }

  /** The thread has one program: it goes with the backend. */
  [Symbol.dispose](): void {}

  /** More steps on the way than there are places: rare, so this one waits with a copy of its rows. */
  async #runLater(segment: number, step: Step): Promise<void> {
    const copy = structuredClone(step);
    await this.#queue;
    await this.run(segment, copy);
  }

  async #finish(
    segment: number,
    step: { readonly rows: number; readonly outputs: number },
    place: number,
  ): Promise<void> {
    try {
      const answer = await this.#link.ask({ kind: "run", segment, step: place });
      if (answer.kind !== "ran") throw unexpected(answer);
      this.#counts.push(...answer.counts);
      if ((this.#program.segments[segment]?.outputs.length ?? 0) > 0) this.#lastStep = step;
    } finally {
      const shared = this.#steps[place];
      if (shared !== undefined) shared.isBusy = false;
    }
  }
}

type Asked = {
  [Kind in Request["kind"]]: Omit<Extract<Request, { kind: Kind }>, "id">;
}[Request["kind"]];

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly listener: Listener;
}

type Listener = Pick<CompileOptions, "onProgress" | "onCompile">;

/** Requests on the way to one thread. When it ends, all of them fail with one error, and so do later ones. */
class WorkerLink {
  readonly #worker: Worker;
  readonly #waiting: Map<number, Waiting> = new Map();
  #nextId = 0;
  #failure: DeviceError | undefined;

  constructor(worker: Worker) {
    this.#worker = worker;
    worker.on("message", (answer: Answer) => this.#take(answer));
    worker.on("error", (error) => this.#fail(`its thread ended: ${messageOf(error)}`));
    worker.on("exit", (code) => this.#fail(`its thread ended with code ${code}`));
    // Only a request on the way keeps the process alive.
    worker.unref();
  }

  ask(request: Asked, listener: Listener = {}): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, listener });
      this.#worker.postMessage({ ...request, id });
    });
  }

  close(): void {
    if (this.#failure !== undefined) return;
    this.#fail("it was closed");
    this.#worker.postMessage({ kind: "close", id: -1 });
    this.#worker.ref();
    const ending = setTimeout(() => void this.#worker.terminate(), closeMilliseconds);
    this.#worker.once("exit", () => clearTimeout(ending));
  }

  #take(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    if (answer.kind === "progress") {
      waiting.listener.onProgress?.(answer.progress);
      return;
    }
    if (answer.kind === "compiling") {
      waiting.listener.onCompile?.(answer.kernels);
      return;
    }
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    if (answer.kind === "failed") waiting.reject(fromPlainError(answer.error));
    else waiting.resolve(answer);
  }

  #fail(reason: string): void {
    this.#failure ??= new DeviceError(
      `the GPU cannot be used any more: ${reason}. Run again; if it happens again, use device cpu`,
    );
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function unexpected(answer: Answer): Error {
  return new Error(`the device's thread answered with "${answer.kind}"`);
}
