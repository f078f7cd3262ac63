/** The thread that solves placements: one request in, its solutions out, then it ends. */
import { parentPort, workerData } from "node:worker_threads";
import { answerRequest } from "./solve-placement.ts";

parentPort?.postMessage(await answerRequest(workerData));
