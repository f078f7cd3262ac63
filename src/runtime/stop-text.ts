/**
 * Holds back text that may be the beginning of a stop string, and cuts at the first one that is complete.
 */
export class StopText {
  readonly #stops: readonly string[];
  #held = "";
  #found = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /** True once a stop string was seen; nothing after it is ever released. */
  get found(): boolean {
    return this.#found;
  }

  /** Adds text, returns what is safe to show. */
  push(text: string): string {
    if (this.#found || this.#stops.length === 0) return this.#found ? "" : text;
    this.#held += text;
    const cut = this.#earliestStop();
    if (cut >= 0) {
      this.#found = true;
      return this.#release(cut);
    }
    return this.#release(this.#held.length - this.#unsafeTail());
  }

  /** What was held back and turned out not to be a stop string. */
  end(): string {
    return this.#found ? "" : this.#release(this.#held.length);
  }

  #release(length: number): string {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return text;
  }

  #earliestStop(): number {
    const places = this.#stops.map((stop) => this.#held.indexOf(stop)).filter((at) => at >= 0);
    return places.length === 0 ? -1 : Math.min(...places);
  }

  /** Length of the longest end of the held text that begins a stop string. */
  #unsafeTail(): number {
    let longest = 0;
    for (const stop of this.#stops) {
      const limit = Math.min(stop.length - 1, this.#held.length);
      for (let length = limit; length > longest; length--) {
        if (stop.startsWith(this.#held.slice(-length))) longest = length;
      }
    }
    return longest;
  }
}
