/**
 * What the caller of `generate` holds: the chunks as they come, the result at the end, a way to stop.
 * A slow reader slows nobody down: the answer is written at its own speed, so that its sequence is free for the next one as
 * soon as can be, and chunks that were not read yet are kept, one for each token. `maxTokens` and the context bound them.
 */
import { HearthError } from "../core/errors.ts";
import type {
  ActiveGeneration,
  GeneratedChunk,
  GenerationProgress,
  GenerationResult,
} from "./generation.ts";

/** `Value`: of an answer of a promised form; else its text. */
export class Generation<Value = unknown> implements AsyncIterable<GeneratedChunk> {
  /**
   * Usage, timings and why it ended. Rejects with LimitError for a prompt longer than the context, with QueueFullError, with
   * a DeviceError when the device failed, with the error of a callback that threw, or with what else ended this answer
   * alone. An abort is a result, not an error.
   */
  readonly result: Promise<GenerationResult>;
  readonly #active: ActiveGeneration;
  readonly #read: (result: GenerationResult) => Value | Promise<Value>;
  #value: Promise<Value> | undefined;
  #hasReader = false;

  /** `read` makes the value of a finished answer. */
  constructor(
    active: ActiveGeneration,
    signal: AbortSignal | undefined,
    read: (result: GenerationResult) => Value | Promise<Value>,
  ) {
    this.#active = active;
    this.#read = read;
    this.result = active.result;
    if (signal === undefined) return;
    const abort = (): void => this.abort();
    if (signal.aborted) abort();
    else {
      signal.addEventListener("abort", abort, { once: true });
      const forget = (): void => signal.removeEventListener("abort", abort);
      active.result.then(forget, forget);
    }
  }

  /**
   * One chunk for each token. Leaving the loop early ends the generation. Several calls of `next` may wait at once: they
   * are served in their order.
   * @throws HearthError when it is called again: two readers would each get a part of the text.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<GeneratedChunk, undefined> {
    if (this.#hasReader) {
      throw new HearthError(
        "this answer is being iterated, or was: its chunks are given once; await its result or text() for the whole, or call generate again",
      );
    }
    this.#hasReader = true;
    return this.#active.chunks;
  }

  /** The whole text, once it is written. */
  async text(): Promise<string> {
    return (await this.result).text;
  }

  /**
   * What the answer says, once it is written: of a `schema` the value that its JSON means, else the text. Rejects as
   * `result` does, and with FormError where the answer was cut before the form that was asked for was complete; `result`
   * has the text and the reason then.
   */
  get value(): Promise<Value> {
    this.#value ??= this.result.then(this.#read);
    return this.#value;
  }

  /** 1 for the next one of the answers that wait for a sequence; 0 for one that does not wait. */
  get queuePlace(): number {
    return this.#active.queuePlace;
  }

  /** Counts and times of what is written until now. */
  get soFar(): GenerationProgress {
    return this.#active.soFar;
  }

  /** Ends the answer after the step that is running. */
  abort(): void {
    this.#active.abort();
  }
}
