/** What the caller of `generate` holds: the chunks as they come, the result at the end, a way to stop. */
import type { ActiveGeneration, GeneratedChunk, GenerationResult } from "./generation.ts";

export class Generation implements AsyncIterable<GeneratedChunk> {
  /** Usage, timings and why it ended; rejects when the device failed. An abort is a result, not an error. */
  readonly result: Promise<GenerationResult>;
  readonly #active: ActiveGeneration;

  constructor(active: ActiveGeneration, signal: AbortSignal | undefined) {
    this.#active = active;
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

  /** One chunk for each token. Leaving the loop early ends the generation. May be iterated once. */
  [Symbol.asyncIterator](): AsyncIterator<GeneratedChunk, undefined> {
    return this.#active.chunks;
  }

  /** The whole text, once it is written. */
  async text(): Promise<string> {
    return (await this.result).text;
  }

  /** Ends the answer after the step that is running. */
  abort(): void {
    this.#active.finish("abort");
  }
}
