/** The device's side of protocol.ts: one backend, one program. */
import type { Backend, Executable } from "../../backends/backend.ts";
import type { Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { type DeviceSpec, openDevice } from "./device.ts";
import { type Answer, type Request, toPlainError } from "./protocol.ts";
import { type StepView, viewSharedStep } from "./shared-step.ts";

interface Compiled {
  readonly program: Program;
  readonly executable: Executable;
  readonly steps: readonly StepView[];
  readonly outputs: ReadonlyMap<number, Float32Array>;
}

export class DeviceHost {
  readonly #answer: (answer: Answer) => void;
  readonly #open: (spec: DeviceSpec) => Promise<Backend>;
  readonly #abort: AbortController = new AbortController();
  #backend: Backend | undefined;
  #compiled: Compiled | undefined;
  /** Requests that are not answered yet. */
  readonly #pending = new Set<Promise<void>>();

  constructor(
    answer: (answer: Answer) => void,
    open: (spec: DeviceSpec) => Promise<Backend> = openDevice,
  ) {
    this.#answer = answer;
    this.#open = open;
  }

  handle(request: Request): void {
    const { id } = request;
    const done = this.#respond(request).then(this.#answer, (error: unknown) =>
      this.#answer({ kind: "failed", id, error: toPlainError(error) }),
    );
    if (request.kind === "close") return;
    this.#pending.add(done);
    void done.finally(() => this.#pending.delete(done));
  }

  /** Ends what runs. Resolves when all other requests are answered: the device has nothing left to say. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#dispose();
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending);
    // What was being opened or compiled meanwhile.
    this.#dispose();
  }

  #dispose(): void {
    this.#compiled?.executable[Symbol.dispose]();
    this.#backend?.[Symbol.dispose]();
    this.#compiled = undefined;
    this.#backend = undefined;
  }

  /** Everything up to the first await happens in the order of the requests: runs and writes keep theirs. */
  async #respond(request: Request): Promise<Answer> {
    const { id, kind } = request;
    switch (kind) {
      case "open":
        this.#backend = await this.#open(request.spec);
        return { kind: "opened", id, description: this.#backend.description };
      case "compile":
        return this.#compile(request);
      case "run":
        return this.#run(request);
      case "write":
        this.#ready.executable.write(this.#slot(request.slot), request.data);
        return { kind: "done", id };
      case "copy":
        await this.#ready.executable.copySequence(request.from, request.to, request.length);
        return { kind: "done", id };
      case "save":
        await this.#ready.executable.saveState(request.sequence, request.slot);
        return { kind: "done", id };
      case "restore":
        await this.#ready.executable.restoreState(request.slot, request.sequence);
        return { kind: "done", id };
      case "read-state":
        return {
          kind: "state",
          id,
          bytes: await this.#ready.executable.readState(request.at, request.part),
        };
      case "write-state":
        await this.#ready.executable.writeState(request.at, request.part, request.bytes);
        return { kind: "done", id };
      case "report":
        return { kind, id, report: await this.#ready.executable.report() };
      case "neurons":
        return { kind, id, counts: await this.#ready.executable.neuronCounts() };
      case "shown":
        return { kind, id, shown: await this.#ready.executable.shownRow() };
      case "replace":
        await this.#ready.executable.replaceNeurons(request.change);
        return { kind: "done", id };
      case "finish":
        await this.#ready.executable.finished();
        return { kind: "done", id };
      case "abort":
        this.#abort.abort();
        return { kind: "done", id };
      case "close":
        await this.close();
        return { kind: "done", id };
      default:
        return kind satisfies never;
    }
  }

  async #compile(request: Extract<Request, { kind: "compile" }>): Promise<Answer> {
    const { id, program, shared } = request;
    if (this.#backend === undefined) throw new Error("a device is opened before it compiles");
    const executable = await this.#backend.compile(program, {
      onProgress: (progress) => this.#answer({ kind: "progress", id, progress }),
      onCompile: (kernels) => this.#answer({ kind: "compiling", id, kernels }),
      signal: this.#abort.signal,
    });
    this.#compiled = {
      program,
      executable,
      steps: shared.steps.map((step) => viewSharedStep(step, program)),
      outputs: new Map(
        [...shared.outputs].map(([slot, buffer]) => [slot, new Float32Array(buffer)]),
      ),
    };
    const { memory, counts, canReplaceNeurons } = executable;
    return { kind: "compiled", id, facts: { memory, counts, canReplaceNeurons } };
  }

  async #run(request: Extract<Request, { kind: "run" }>): Promise<Answer> {
    const { executable, program, steps, outputs } = this.#ready;
    const view = steps[request.step];
    if (view === undefined) throw new RangeError(`no shared step ${request.step}`);
    view.load();
    await executable.run(request.segment, view.step);
    for (const slot of program.segments[request.segment]?.outputs ?? []) {
      outputs.get(slot.id)?.set(executable.output(slot));
    }
    const [ffn, channels] = [executable.ffnCounts(), executable.channelCounts()];
    return { kind: "ran", id: request.id, ffn, channels };
  }

  get #ready(): Compiled {
    if (this.#compiled === undefined) throw new Error("a program is compiled before it runs");
    return this.#compiled;
  }

  #slot(id: number): Slot {
    const slot = this.#ready.program.slots[id];
    if (slot === undefined) throw new RangeError(`no slot ${id}`);
    return slot;
  }
}
