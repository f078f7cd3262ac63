/** Nothing of an executable is lost on its way through a decorator or a thread: every member arrives, with its arguments. */
import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import type { Backend, Executable, StatePlace } from "../../backends/backend.ts";
import { ForwardingExecutable } from "../../backends/forwarding-executable.ts";
import { plainMatrices } from "../../backends/plain-matrices.ts";
import type { GpuExecutable } from "../../backends/webgpu/executable.ts";
import { noGpuCounts } from "../../backends/webgpu/gpu-counts.ts";
import type { Slot } from "../../ops/op.ts";
import { createStep, type Program, type Step } from "../../ops/program.ts";
import type { StatePart } from "../../ops/state-parts.ts";
import { openThread } from "./backend.ts";
import type { DeviceSpec } from "./device.ts";
import { countGpu } from "./gpu-use.ts";
import { DeviceHost } from "./host.ts";
import type { Thread } from "./link.ts";
import type { Request } from "./protocol.ts";

const slot: Slot = { id: 0, name: "out", width: 2, rows: "step" };
const program: Program = {
  slots: [slot],
  kv: { layers: [], contextLength: 1, sequences: 1, type: "f32" },
  segments: [{ name: "only", ops: [], outputs: [slot] }],
  maxRows: 2,
  maxOutputs: 2,
};
const part: StatePart = { kind: "keys", layer: 1, first: 2, count: 3, bytes: 4 };
const step = createStep(2, 2);
step.rowCount = 2;
step.token.set([5, 6]);
const change = { layer: 1, from: Uint32Array.of(1), to: Uint32Array.of(2) };

/** Everything that was called on it, and a value of its own for each. */
class Recording implements GpuExecutable {
  readonly calls: unknown[][] = [];
  readonly memory = { mappedWeights: 1, copiedWeights: 2, kvCache: 3, scratch: 4 };
  readonly counts = "neurons";
  readonly canReplaceNeurons = true;

  async run(segment: number, { rowCount, token }: Step): Promise<void> {
    this.calls.push(["run", segment, rowCount, [...token]]);
  }
  output(of: Slot): Float32Array {
    this.calls.push(["output", of.name]);
    return Float32Array.of(1, 2, 3, 4);
  }
  write(to: Slot, data: Float32Array): void {
    this.calls.push(["write", to.name, [...data]]);
  }
  async copySequence(from: number, to: number, length: number): Promise<void> {
    this.calls.push(["copySequence", from, to, length]);
  }
  async saveState(sequence: number, to: number): Promise<void> {
    this.calls.push(["saveState", sequence, to]);
  }
  async restoreState(from: number, sequence: number): Promise<void> {
    this.calls.push(["restoreState", from, sequence]);
  }
  async readState({ place }: StatePlace, part: StatePart): Promise<Uint8Array> {
    this.calls.push(["readState", place, part]);
    return Uint8Array.of(1, 2);
  }
  async writeState(at: StatePlace, part: StatePart, bytes: Uint8Array): Promise<void> {
    this.calls.push(["writeState", at, part, [...bytes]]);
  }
  async finished(): Promise<void> {
    this.calls.push(["finished"]);
  }
  ffnCounts(): ReturnType<Executable["ffnCounts"]> {
    this.calls.push(["ffnCounts"]);
    return [{ layer: 0, active: 1, rows: 2, neurons: 3, bytesTouched: 4 }];
  }
  async shownRow(): ReturnType<Executable["shownRow"]> {
    this.calls.push(["shownRow"]);
    return { sets: [], timeline: [] };
  }

  async neuronCounts(): ReturnType<Executable["neuronCounts"]> {
    this.calls.push(["neuronCounts"]);
    return [{ layer: 0, rows: 1, neurons: Uint32Array.of(7), active: Uint32Array.of(1) }];
  }
  channelCounts(): ReturnType<Executable["channelCounts"]> {
    this.calls.push(["channelCounts"]);
    return [{ rows: 1, channels: 2, bytesTouched: 3, bytesDense: 4 }];
  }
  async replaceNeurons({ layer, from, to }: typeof change): Promise<void> {
    this.calls.push(["replaceNeurons", layer, [...from], [...to]]);
  }
  async report(): ReturnType<Executable["report"]> {
    this.calls.push(["report"]);
    return { timeline: [{ track: "cpu", name: "ffn 0", step: 1, start: 2, end: 3 }] };
  }
  gpuCounts(): typeof noGpuCounts {
    return noGpuCounts;
  }
  [Symbol.dispose](): void {
    this.calls.push(["dispose"]);
  }
}

/** How each member is used. A member without a use does not compile. `run` is first: counts and outputs come from it. */
const uses: { readonly [Key in keyof Required<Executable>]: (of: Executable) => unknown } = {
  run: (of) => of.run(0, step),
  memory: (of) => of.memory,
  counts: (of) => of.counts,
  canReplaceNeurons: (of) => of.canReplaceNeurons,
  output: (of) => of.output(slot),
  write: (of) => of.write(slot, Float32Array.of(8, 9)),
  copySequence: (of) => of.copySequence(0, 1, 5),
  saveState: (of) => of.saveState(2, 3),
  restoreState: (of) => of.restoreState(4, 5),
  readState: (of) => of.readState({ place: 1, length: 9 }, part),
  writeState: (of) => of.writeState({ place: 2, length: 7 }, part, Uint8Array.of(3, 4)),
  finished: (of) => of.finished(),
  ffnCounts: (of) => of.ffnCounts(),
  neuronCounts: (of) => of.neuronCounts(),
  shownRow: (of) => of.shownRow(),
  channelCounts: (of) => of.channelCounts(),
  replaceNeurons: (of) => of.replaceNeurons(change),
  report: (of) => of.report(),
  [Symbol.dispose]: (of) => of[Symbol.dispose](),
};

/** The device's side in this thread, behind the copies that messages between threads are. */
class ThreadHere extends EventEmitter implements Thread {
  readonly #host: DeviceHost;

  constructor(open: (spec: DeviceSpec) => Promise<Backend>) {
    super();
    const answer = (message: unknown): void => void this.emit("message", structuredClone(message));
    this.#host = new DeviceHost(answer, open);
  }

  postMessage(message: Request): void {
    const own = structuredClone(message);
    queueMicrotask(() => this.#host.handle(own));
    if (own.kind === "close") queueMicrotask(() => this.emit("exit", 0));
  }

  ref(): void {}
  unref(): void {}

  async terminate(): Promise<number> {
    this.emit("exit", 1);
    return 1;
  }
}

async function inThread(executable: Executable): Promise<Executable> {
  const device: Backend = {
    ...plainMatrices,
    description: "recording",
    compile: async () => executable,
    [Symbol.dispose]: () => {},
  };
  const backend = await openThread({ kind: "gpu", adapter: 0 }, new ThreadHere(async () => device));
  const compiled = await backend.compile(program);
  // The thread's one program goes with the backend.
  compiled[Symbol.dispose] = () => backend[Symbol.dispose]();
  return compiled;
}

describe.each([
  ["a forwarding executable", async (inner: Recording) => new ForwardingExecutable(inner)],
  ["counting what the GPU does", async (inner: Recording) => countGpu(inner)],
  ["a device's thread", inThread],
])("through %s", (_, decorate) => {
  it("every member arrives, and its result comes back", async () => {
    const [alone, inner] = [new Recording(), new Recording()];
    const decorated = await decorate(inner);
    let used = 0;
    for (const key of Reflect.ownKeys(uses) as (keyof Executable)[]) {
      alone.calls.length = 0;
      const expected = await uses[key](alone);
      const found = await uses[key](decorated);
      await new Promise((resolve) => setImmediate(resolve));
      if (key === "report") expect(found).toMatchObject({ ...Object(expected) });
      else expect(found, String(key)).toEqual(expected);
      expect(inner.calls, String(key)).toEqual(expect.arrayContaining(alone.calls));
      used++;
    }
    expect(used).toBe(19);
  });
});

describe("a device's thread", () => {
  it("keeps the order of calls when more runs are on the way than it has places for", async () => {
    const inner = new Recording();
    const executable = await inThread(inner);
    const own = createStep(2, 2);
    own.rowCount = 1;
    const done: Promise<void>[] = [];
    for (let token = 0; token < 6; token++) {
      own.token[0] = token;
      done.push(executable.run(0, own));
    }
    const data = Float32Array.of(1, 0);
    executable.write(slot, data);
    data.fill(0);
    done.push(executable.copySequence(0, 1, 3));
    own.token[0] = 6;
    done.push(executable.run(0, own));
    await Promise.all(done);
    const ordered = inner.calls.filter(([name]) => !String(name).match(/output|Counts/));
    expect(ordered).toEqual([
      ...[0, 1, 2, 3, 4, 5].map((token) => ["run", 0, 1, [token, 0]]),
      ["write", "out", [1, 0]],
      ["copySequence", 0, 1, 3],
      ["run", 0, 1, [6, 0]],
    ]);
  });

  it("adds up the counts of runs until they are asked for, block by block and matrix by matrix", async () => {
    const executable = await inThread(new Recording());
    for (let run = 0; run < 3; run++) await executable.run(0, step);
    expect(executable.ffnCounts()).toEqual([
      { layer: 0, active: 3, rows: 6, neurons: 3, bytesTouched: 12 },
    ]);
    expect(executable.channelCounts()).toEqual([
      { rows: 3, channels: 6, bytesTouched: 9, bytesDense: 12 },
    ]);
    expect([executable.ffnCounts(), executable.channelCounts()]).toEqual([[], []]);
  });
});
