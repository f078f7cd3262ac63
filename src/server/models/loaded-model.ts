/** A model in memory, and how many requests hold it. It is closed when the last of them has let go, never before. */
import type { Milliseconds } from "../../core/units.ts";
import type { Engine } from "../../index.ts";

export class LoadedModel {
  readonly name: string;
  readonly engine: Engine;
  /** When it was loaded and when it was last held, by `performance.now()`. */
  lastUsedAt: Milliseconds = performance.now();
  /** When it is sent away, if nobody asks for it before. */
  expiresAt: Date = new Date();
  #leases = 0;
  #isLeaving = false;
  #idle: (() => void) | undefined;
  readonly #onIdle: (model: LoadedModel, keepAlive: Milliseconds | undefined) => void;

  /** `onIdle` hears when nobody holds it any more, and how long the last holder wants it to stay. */
  constructor(
    name: string,
    engine: Engine,
    onIdle: (model: LoadedModel, keepAlive: Milliseconds | undefined) => void,
  ) {
    this.name = name;
    this.engine = engine;
    this.#onIdle = onIdle;
  }

  get leases(): number {
    return this.#leases;
  }

  /** Returns what gives it back; to call that again does nothing. */
  hold(keepAlive: Milliseconds | undefined): () => void {
    this.#leases++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#release(keepAlive);
    };
  }

  /** Waits until nobody holds it, then frees its memory. Who calls this has seen to it that nobody can take it any more. */
  async leave(): Promise<void> {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    if (this.#leases > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    try {
      await this.engine.remember();
    } catch {
      // An engine that failed has nothing to keep.
    } finally {
      this.engine.close();
    }
  }

  #release(keepAlive: Milliseconds | undefined): void {
    this.#leases--;
    this.lastUsedAt = performance.now();
    if (this.#leases > 0) return;
    this.#idle?.();
    if (!this.#isLeaving) this.#onIdle(this, keepAlive);
  }
}
