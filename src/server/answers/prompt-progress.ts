/** How far the prompt of an answer is read, as events between those of the answer. */
import type { GenerationProgress } from "../../index.ts";
import type { AnswerEvent } from "./request.ts";

/** In tokens; `processed` begins with what the cache held. */
export interface ProgressOfPrompt {
  readonly total: number;
  readonly cache: number;
  readonly processed: number;
  /** Since the prompt's reading began, in milliseconds. */
  readonly time_ms: number;
}

export class PromptProgress {
  readonly #noted: ProgressOfPrompt[] = [];
  #hasBegun = false;
  #isEnded = false;
  #wake: (() => void) | undefined;

  note(
    processed: number,
    total: number,
    { cachedTokens: cache, timings }: GenerationProgress,
  ): void {
    if (!this.#hasBegun) this.#noted.push({ total, cache, processed: cache, time_ms: 0 });
    this.#hasBegun = true;
    const time_ms = Math.round(timings.promptMilliseconds);
    if (processed > cache) this.#noted.push({ total, cache, processed, time_ms });
    this.#wake?.();
  }

  /** Nothing more is noted. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  async *events(choice: number): AsyncGenerator<AnswerEvent> {
    for (;;) {
      const progress = this.#noted.shift();
      if (progress !== undefined) yield { kind: "delta", choice, text: "", progress };
      else if (this.#isEnded) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}
