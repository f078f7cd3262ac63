/**
 * A device in a thread of its own, as a backend: the host program's event loop never delays a layer.
 * Runs as compiled JavaScript only: Node 20 cannot start a thread from TypeScript sources.
 */
import { Worker } from "node:worker_threads";
import type { Backend, CompileOptions, Executable } from "../../backends/backend.ts";
import { plainMatrices } from "../../backends/plain-matrices.ts";
import { builtModule } from "../../core/package-root.ts";
import type { Program } from "../../ops/program.ts";
import { type DeviceSpec, openDevice } from "./device.ts";
import { WorkerExecutable } from "./executable.ts";
import { type Thread, WorkerLink } from "./link.ts";
import type { SharedMemory } from "./protocol.ts";
import { createSharedStep } from "./shared-step.ts";

/** Steps on the way at once before run must wait: the model, its read, and the same of a next step. */
const sharedSteps = 4;

/** In a thread of its own where hearth runs compiled, else in this one (tests). @throws as openDevice. */
export async function createDeviceBackend(spec: DeviceSpec): Promise<Backend> {
  const worker = builtModule("devices/thread/worker.js");
  return worker === undefined ? openDevice(spec) : openThread(spec, new Worker(worker));
}

/** A device in a thread that speaks protocol.ts. */
export async function openThread(spec: DeviceSpec, thread: Thread): Promise<Backend> {
  const link = new WorkerLink(thread);
  try {
    const { description } = await link.ask({ kind: "open", spec }, "opened");
    return {
      ...plainMatrices,
      description,
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
): Promise<Executable> {
  options.signal?.throwIfAborted();
  const onAbort = (): void => void link.ask({ kind: "abort" }, "done").catch(() => undefined);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  const shared = createSharedMemory(program);
  try {
    const { facts } = await link.ask({ kind: "compile", program, shared }, "compiled", options);
    return new WorkerExecutable(link, { program, shared, facts });
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
