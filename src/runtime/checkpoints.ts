/**
 * Which checkpoints there are: copies of what a sequence's layers remember that cannot go back (ops/kv-shape.ts), each in
 * one of the executable's slots. Here is only who they are of, behind which token, and which gives way to a new one.
 */
import type { Tokens } from "../core/units.ts";

export interface Checkpoint {
  readonly slot: number;
  /** Tokens that were read when it was saved. */
  readonly length: Tokens;
  /** One more than the highest position that the layers' rings had stored then. */
  readonly stored: number;
  /** Sequences that begin with these tokens. */
  readonly owners: Set<number>;
}

/**
 * What a template puts behind the last message, which the next turn's history may not repeat: an opened thought
 * (`<think>` and a line break), or an empty one of four tokens.
 */
const templateEnd: Tokens = 4;
/** Reading so few tokens again takes one short step: no checkpoint is worth it. */
const leastGap: Tokens = 16;
/** The checkpoints before the end of a long prompt: from its end this far, then each further by this factor. */
const firstDistance: Tokens = 256;
const distanceFactor = 4;

export class Checkpoints {
  readonly #slots: (Checkpoint | undefined)[];

  constructor(slots: number) {
    this.#slots = Array.from({ length: slots });
  }

  get slots(): number {
    return this.#slots.length;
  }

  /** The longest beginning of the sequence, of at most `length` tokens, that can be brought back. */
  longest(sequence: number, length: Tokens): Checkpoint | undefined {
    return this.of(sequence).findLast((saved) => saved.length <= length);
  }

  /** Those of a sequence, rising by length. */
  of(sequence: number): readonly Checkpoint[] {
    return this.#slots
      .filter((saved) => saved?.owners.has(sequence) === true)
      .filter((saved) => saved !== undefined)
      .sort((a, b) => a.length - b.length);
  }

  /**
   * A slot for the sequence's state behind `length` tokens; undefined where one is near enough, or there are no slots.
   * Where all are taken, one gives way: of the sequence that has most, the one that is missed least. The newest stays.
   */
  add(
    sequence: number,
    { length, stored }: Pick<Checkpoint, "length" | "stored">,
  ): number | undefined {
    const near = this.longest(sequence, length)?.length ?? 0;
    if (length - near < leastGap || this.#slots.length === 0) return undefined;
    const free = this.#slots.indexOf(undefined);
    const slot = free >= 0 ? free : this.#leastMissed(sequence, length).slot;
    this.#slots[slot] = { slot, length, stored, owners: new Set([sequence]) };
    return slot;
  }

  /** `to`, which was forgotten, begins with the first `length` tokens of `from`. */
  share(from: number, to: number, length: Tokens): void {
    for (const saved of this.of(from)) if (saved.length <= length) saved.owners.add(to);
  }

  /** The sequence no longer holds what lies behind its first `length` tokens. */
  cut(sequence: number, length: Tokens): void {
    for (const saved of this.of(sequence)) {
      if (saved.length <= length) continue;
      saved.owners.delete(sequence);
      if (saved.owners.size === 0) this.#slots[saved.slot] = undefined;
    }
  }

  /** For one of `sequence` behind `length` tokens. All slots are taken. */
  #leastMissed(sequence: number, length: Tokens): Checkpoint {
    const owners = new Set(this.#slots.flatMap((saved) => [...(saved?.owners ?? [])]));
    const counts = [...owners].map((owner) => this.of(owner).length);
    const most = Math.max(...counts);
    const isOwn = this.of(sequence).length === most;
    const crowded = isOwn ? sequence : ([...owners][counts.indexOf(most)] ?? sequence);
    const all = this.of(crowded);
    const end = crowded === sequence ? length : (all.at(-1)?.length ?? 0) + 1;
    // The newest stays: with the one that comes it is the last turn's beginning and its prompt's end.
    const missed = all.slice(0, Math.max(1, all.length - 1)).map((saved, i) => {
      // Going back to just behind it would read this much again, and to far behind it is seldom wanted.
      const again = saved.length - (all[i - 1]?.length ?? 0);
      return (saved.owners.size * again) / Math.max(1, end - saved.length);
    });
    const least = all[missed.indexOf(Math.min(...missed))];
    if (least === undefined) throw new RangeError("no checkpoint can give way");
    return least;
  }
}

/**
 * The lengths at which a sequence is saved while it reads a prompt on from its first `cached` tokens, rising: where another
 * sequence parted from this prompt (others may part there too), before what a template puts behind the last message, and
 * in growing distances from the end of a long prompt, so that a change near the end reads little again.
 */
export function checkpointsOf(
  prompt: { readonly length: Tokens; readonly cached: Tokens; readonly shared: Tokens },
  most: number,
): readonly Tokens[] {
  const end = prompt.length - templateEnd;
  const wanted = [end, prompt.shared];
  for (let distance = firstDistance; distance < end; distance *= distanceFactor) {
    wanted.push(end - distance);
  }
  const kept: Tokens[] = [];
  for (const length of wanted) {
    const isWorthIt = [prompt.cached, ...kept].every(
      (other) => Math.abs(length - other) >= leastGap,
    );
    if (isWorthIt && length > prompt.cached && length <= end && kept.length < most) {
      kept.push(length);
    }
  }
  return kept.sort((a, b) => a - b);
}
