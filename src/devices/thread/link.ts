/** Requests on the way to a device's thread, and the answers that come back. */
import type { EventEmitter } from "node:events";
import type { Worker } from "node:worker_threads";
import type { CompileOptions } from "../../backends/backend.ts";
import { DeviceError } from "../../core/errors.ts";
import { closeBeforeExit, closeMilliseconds } from "./end-at-exit.ts";
import { type Answer, fromPlainError, type Request } from "./protocol.ts";

/** What a link needs of a Worker. */
export type Thread = EventEmitter & Pick<Worker, "postMessage" | "ref" | "unref" | "terminate">;

type Asked = {
  [Kind in Request["kind"]]: Omit<Extract<Request, { kind: Kind }>, "id">;
}[Request["kind"]];

type AnswerOf<Kind extends Answer["kind"]> = Extract<Answer, { kind: Kind }>;

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
  readonly listener: Listener;
}

type Listener = Pick<CompileOptions, "onProgress" | "onCompile">;

/** Requests on the way to one thread. When it ends, all of them fail with one error, and so do later ones. */
export class WorkerLink {
  readonly #worker: Thread;
  readonly #waiting: Map<number, Waiting> = new Map();
  #nextId = 0;
  #failure: DeviceError | undefined;
  readonly #closed: Int32Array = new Int32Array(new SharedArrayBuffer(4));

  constructor(worker: Thread) {
    this.#worker = worker;
    const ended = closeBeforeExit({ closed: this.#closed, askToClose: () => this.#askToClose() });
    worker.once("exit", ended);
    worker.on("message", (answer: Answer) => this.#take(answer));
    worker.on("error", (error) => this.#fail(`its thread ended: ${messageOf(error)}`));
    worker.on("exit", (code) => this.#fail(`its thread ended with code ${code}`));
    // Only a request on the way keeps the process alive.
    worker.unref();
  }

  /** The answer of this kind to a request. @throws DeviceError when the thread has ended; what the request failed with. */
  async ask<Kind extends Answer["kind"]>(
    request: Asked,
    kind: Kind,
    listener: Listener = {},
  ): Promise<AnswerOf<Kind>> {
    const answer = await this.#send(request, listener);
    if (isOfKind(answer, kind)) return answer;
    throw new Error(`the device's thread answered "${request.kind}" with "${answer.kind}"`);
  }

  #send(request: Asked, listener: Listener): Promise<Answer> {
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
    this.#askToClose();
    this.#worker.ref();
    const ending = setTimeout(() => void this.#worker.terminate(), closeMilliseconds);
    this.#worker.once("exit", () => clearTimeout(ending));
  }

  #askToClose(): void {
    this.#worker.postMessage({ kind: "close", id: -1, closed: this.#closed });
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

function isOfKind<Kind extends Answer["kind"]>(
  answer: Answer,
  kind: Kind,
): answer is AnswerOf<Kind> {
  return answer.kind === kind;
}
