/**
 * Holds back text that may be the beginning of a stop string, and cuts at the first one that is complete. Control
 * tokens are not shown, but a stop string may name them: it is looked for in what is shown and in all that was written.
 */
/** Text that is safe to give out. */
export interface ReleasedText {
  readonly shown: string;
  /** The same with what is not shown. */
  readonly written: string;
}

const nothing: ReleasedText = { shown: "", written: "" };

export class StopText {
  readonly #stops: readonly string[];
  /** What was written and is not released yet. */
  #written = "";
  /** For each character of #written, whether it is shown; empty where all are. */
  #isShown: readonly boolean[] = [];
  #found = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /** True once a stop string was seen; nothing after it is ever released. */
  get found(): boolean {
    return this.#found;
  }

  /** Adds text, and behind it text that is never shown; returns the text that is safe. */
  push(text: string, hidden = ""): ReleasedText {
    if (this.#found) return nothing;
    if (this.#stops.length === 0) return { shown: text, written: text + hidden };
    this.#add(text, hidden);
    const shown = this.#shownOf(this.#written.length);
    const cuts = [this.#earliestStop(this.#written), this.#placeOf(this.#earliestStop(shown))];
    const cut = Math.min(...cuts.filter((at) => at >= 0));
    if (cut !== Number.POSITIVE_INFINITY) {
      this.#found = true;
      return this.#release(cut);
    }
    const safe = this.#written.length - this.#unsafeTail(this.#written);
    const safeShown = this.#placeOf(shown.length - this.#unsafeTail(shown));
    return this.#release(Math.min(safe, safeShown));
  }

  /** What was held back and turned out not to be a stop string. */
  end(): ReleasedText {
    return this.#found ? nothing : this.#release(this.#written.length);
  }

  #add(text: string, hidden: string): void {
    if (hidden !== "" || this.#isShown.length > 0) {
      const before = new Array<boolean>(this.#written.length).fill(true);
      this.#isShown = [
        ...(this.#isShown.length > 0 ? this.#isShown : before),
        ...new Array<boolean>(text.length).fill(true),
        ...new Array<boolean>(hidden.length).fill(false),
      ];
    }
    this.#written += text + hidden;
  }

  /** The part of the first `length` characters written that is shown. */
  #shownOf(length: number): string {
    const written = this.#written.slice(0, length);
    if (this.#isShown.length === 0) return written;
    return written
      .split("")
      .filter((_, at) => this.#isShown[at])
      .join("");
  }

  /** Where the shown character `index` was written. */
  #placeOf(index: number): number {
    if (index < 0 || this.#isShown.length === 0) return index;
    let left = index;
    const at = this.#isShown.findIndex((isShown) => isShown && left-- === 0);
    return at < 0 ? this.#written.length : at;
  }

  #release(length: number): ReleasedText {
    const text = { shown: this.#shownOf(length), written: this.#written.slice(0, length) };
    this.#written = this.#written.slice(length);
    this.#isShown = this.#isShown.slice(length);
    return text;
  }

  #earliestStop(text: string): number {
    const places = this.#stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    return places.length === 0 ? -1 : Math.min(...places);
  }

  /** Length of the longest end of the text that begins a stop string. */
  #unsafeTail(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      const limit = Math.min(stop.length - 1, text.length);
      for (let length = limit; length > longest; length--) {
        if (stop.startsWith(text.slice(-length))) longest = length;
      }
    }
    return longest;
  }
}
