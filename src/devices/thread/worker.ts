/** The thread of a device: opens it, answers requests, ends itself when it is closed. */
import { parentPort } from "node:worker_threads";
import { DeviceHost } from "./host.ts";

const port = parentPort;
if (port === null) throw new Error("devices/thread/worker.ts runs as a worker thread only");
const host = new DeviceHost((answer) => port.postMessage(answer));
port.on("message", (request) => {
  if (request.kind !== "close") {
    host.handle(request);
    return;
  }
  host.close();
  // Dawn keeps a thread alive while it holds an instance.
  process.exit(0);
});
