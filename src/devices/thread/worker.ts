/** The thread of a device: opens it, answers requests, ends itself when it is closed. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { holdsGpu } from "../../backends/webgpu/gpu.ts";
import { DeviceHost } from "./host.ts";

const port = parentPort;
if (port === null) throw new Error("devices/thread/worker.ts runs as a worker thread only");
const host = new DeviceHost((answer) => port.postMessage(answer));
port.on("message", (request) => {
  if (request.kind === "close") void close(request.closed);
  else host.handle(request);
});

/** The WebGPU library must have answered all it was asked before its thread ends. */
async function close(closed: Int32Array): Promise<void> {
  await host.close();
  while (holdsGpu()) await nextTurn();
  Atomics.store(closed, 0, 1);
  Atomics.notify(closed, 0);
  // Dawn keeps a thread alive while it holds an instance.
  process.exit(0);
}
