/**
 * Pieces of tensors on their way from file to file: while one is written, the next is converted and the one behind it
 * is read. Memory for a few pieces, however large the model is.
 */
import { closeSync } from "node:fs";
import { readFullyLater } from "../io/byte-source.ts";
import { openForReading } from "../io/open-file.ts";

export interface PieceToMake {
  readonly path: string;
  /** In the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Bytes of what is made of it; undefined: it is written as it is. */
  readonly target?: {
    readonly bytes: number;
    make(source: Uint8Array, target: Uint8Array): Promise<void>;
  };
}

/** One is read, one is converted, one is written. */
const slotCount = 3;

/** Memory of a piece; it grows to the largest. */
interface Slot {
  source: Uint8Array;
  target: Uint8Array;
}

export class PieceLine implements Disposable {
  readonly #pieces: Iterator<PieceToMake>;
  readonly #free: Slot[];
  readonly #files = new Map<string, number>();
  /** The oldest first. */
  readonly #underWay: { readonly made: Promise<Uint8Array>; readonly slot: Slot }[] = [];

  constructor(pieces: Iterable<PieceToMake>) {
    this.#pieces = pieces[Symbol.iterator]();
    this.#free = Array.from({ length: slotCount }, () => ({
      source: new Uint8Array(0),
      target: new Uint8Array(0),
    }));
  }

  /** What the next `count` pieces have become, one after another; each is valid until the next is asked for. */
  async *take(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let i = 0; i < count; i++) {
      this.#startAll();
      const oldest = this.#underWay.shift();
      if (oldest === undefined) return;
      try {
        yield await oldest.made;
      } finally {
        this.#free.push(oldest.slot);
      }
    }
  }

  #startAll(): void {
    for (let slot = this.#free.pop(); slot !== undefined; slot = this.#free.pop()) {
      const next = this.#pieces.next();
      if (next.done) return;
      const made = this.#make(next.value, slot);
      // Whoever takes it hears of a failure; nobody may be left to take it.
      made.catch(() => {});
      this.#underWay.push({ made, slot });
    }
  }

  async #make({ path, offset, bytes, target }: PieceToMake, slot: Slot): Promise<Uint8Array> {
    if (slot.source.length < bytes) slot.source = new Uint8Array(bytes);
    const source = slot.source.subarray(0, bytes);
    await readFullyLater(this.#open(path), { path, offset, bytes: source });
    if (target === undefined) return source;
    if (slot.target.length < target.bytes) slot.target = new Uint8Array(target.bytes);
    const made = slot.target.subarray(0, target.bytes);
    await target.make(source, made);
    return made;
  }

  #open(path: string): number {
    const known = this.#files.get(path) ?? openForReading(path);
    this.#files.set(path, known);
    return known;
  }

  /** Resolves when no piece is under way: what they use may be closed. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay.map(({ made }) => made));
  }

  /** Behind `settled`. */
  [Symbol.dispose](): void {
    for (const descriptor of this.#files.values()) closeSync(descriptor);
    this.#files.clear();
  }
}
