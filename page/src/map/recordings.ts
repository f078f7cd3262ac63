/** Answers that somebody looked at while they were written. Nobody looks, nothing is asked for. */
import { type Signal, signal } from "@preact/signals";
import type { Server } from "../api/server.ts";
import { newId } from "../chat/conversation.ts";
import { FrameReader } from "./frames.ts";
import { Recording } from "./recording.ts";

/** So many answers are kept, the newest. */
const maxKept = 3;

export class Recordings {
  readonly #server: Server;
  readonly #kept = new Map<string, Recording>();
  /** Readers that nothing has come to yet, by answer. */
  readonly #waiting = new Map<string, AbortController>();
  #lookers = 0;
  #isAnnounced = false;
  /** Counts what came: whoever reads it follows the recordings. */
  readonly changes: Signal<number> = signal(0);

  constructor(server: Server) {
    this.#server = server;
  }

  /** Answers that begin from now on are recorded, until what this gives is called. */
  look(): () => void {
    this.#lookers++;
    return () => {
      this.#lookers--;
    };
  }

  of(answer: string): Recording | undefined {
    return this.#kept.get(answer);
  }

  /**
   * For the request of an answer: the name of a reader that waits for it; undefined while nobody looks, and where the
   * server cannot show it, which is no reason not to write.
   */
  async watch(answer: string, signal: AbortSignal): Promise<string | undefined> {
    if (this.#lookers === 0) return undefined;
    const name = newId();
    try {
      const waiting = new AbortController();
      const either = AbortSignal.any([signal, waiting.signal]);
      const pieces = await this.#server.bytes(`neurons/${name}`, { signal: either });
      this.#waiting.set(answer, waiting);
      void this.#follow(answer, pieces);
      return name;
    } catch {
      return undefined;
    }
  }

  /** The answer is over. A reader that nothing came to waits no longer: the request was refused. */
  release(answer: string): void {
    this.#waiting.get(answer)?.abort();
    this.#waiting.delete(answer);
  }

  async #follow(answer: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const reader = new FrameReader();
    let recording: Recording | undefined;
    try {
      for await (const piece of pieces) {
        for (const frame of reader.push(piece)) {
          if (frame.kind === "facts") {
            recording = new Recording(frame.facts);
            this.#waiting.delete(answer);
            this.#keep(answer, recording);
          } else if (frame.kind === "token") recording?.add(frame.token);
          else recording?.end(frame.end);
        }
        this.#announce();
      }
    } catch {
      // What came is kept.
    }
    if (recording !== undefined) recording.isEnded = true;
    this.#announce();
  }

  /** Once for each frame of the screen: fast models write hundreds of tokens a second. */
  #announce(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    const tell = (): void => {
      this.#isAnnounced = false;
      this.changes.value++;
    };
    // A tab that nobody sees has no frames.
    if (document.hidden) setTimeout(tell, 100);
    else requestAnimationFrame(tell);
  }

  #keep(answer: string, recording: Recording): void {
    this.#kept.delete(answer);
    this.#kept.set(answer, recording);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKept) return;
      this.#kept.delete(oldest);
    }
  }
}
