interface FoundStop {
  readonly stop: string;
  readonly at: number;
}

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
  #found: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /** The stop string that was seen, the first in the text; nothing from it on is ever released. Undefined before that. */
  get found(): string | undefined {
    return this.#found;
  }

  /** Adds text, and behind it text that is never shown; returns the text that is safe. */
  push(text: string, hidden = ""): ReleasedText {
    if (this.#found !== undefined) return nothing;
    if (this.#stops.length === 0) return { shown: text, written: text + hidden };
    this.#add(text, hidden);
    const shown = this.#shownOf(this.#written.length);
    const inWritten = this.#earliestStop(this.#written);
    const inShown = this.#earliestStop(shown);
    const cuts = [inWritten, inShown && { ...inShown, at: this.#placeOf(inShown.at) }];
    const first = earliest(cuts.filter((cut) => cut !== undefined));
    if (first !== undefined) {
      this.#found = first.stop;
      return this.#release(first.at);
    }
    const safe = this.#written.length - this.#unsafeTail(this.#written);
    const safeShown = this.#placeOf(shown.length - this.#unsafeTail(shown));
    return this.#release(Math.min(safe, safeShown));
  }

  /** What was held back and turned out not to be a stop string. */
  end(): ReleasedText {
    return this.#found !== undefined ? nothing : this.#release(this.#written.length);
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

  #earliestStop(text: string): FoundStop | undefined {
    const found = this.#stops.map((stop) => ({ stop, at: text.indexOf(stop) }));
    return earliest(found.filter(({ at }) => at >= 0));
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

/** Of two at one place, the first. */
function earliest(found: readonly FoundStop[]): FoundStop | undefined {
  return found.reduce<FoundStop | undefined>(
    (best, one) => (best === undefined || one.at < best.at ? one : best),
    undefined,
  );
}
