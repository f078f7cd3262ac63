/**
 * Which tokens a text may go on with, as bits over a vocabulary. Most of a mask depends only on the innermost body
 * that is open: it is computed once per item ("context-independent tokens": XGrammar, Dong et al. 2024, section 3.1).
 * Tokens that end that body and go on are looked up in what follows it.
 */
import type { Pausable } from "../core/pausable.ts";
import type { TokenTrie } from "../text/token-trie.ts";
import { CodeRepeats, type CountedReach } from "./code-repeats.ts";
import type { Items } from "./items.ts";
import { itemKind } from "./program.ts";
import type { State, States } from "./states.ts";
import { type Reached, TrieWalker } from "./trie-walker.ts";

/** Bytes of masks in memory for one form and vocabulary: some 850 masks of 150,000 tokens. */
const maxMaskBytes = 16 << 20;

export class Masks {
  readonly states: States;
  readonly trie: TokenTrie;
  readonly #walker: TrieWalker;
  readonly #repeats: CodeRepeats;
  #ofItem: Map<number, CountedReach> = new Map();
  #ofState: Map<State, Uint32Array> = new Map();
  #heldBytes = 0;

  constructor(states: States, trie: TokenTrie) {
    this.states = states;
    this.trie = trie;
    this.#walker = new TrieWalker(states, trie);
    this.#repeats = new CodeRepeats(states, trie, this.#walker);
  }

  /** Words of 32 bits that a mask has. */
  get words(): number {
    return this.#walker.words;
  }

  /** Does beforehand what takes longest, for masks that must come at once. */
  prepare(): Pausable<void> {
    return this.#repeats.prepare();
  }

  /** The tokens that may follow. Not to be changed. */
  of(state: State): Uint32Array {
    const known = this.#ofState.get(state);
    if (known !== undefined) return known;
    this.states.startWork();
    if (this.states.forgetIfMany()) this.#forget();
    this.#walker.ways.forgetIfMany();
    let bits: Uint32Array | undefined;
    for (const { item, tail } of openBodies(state, this.states.program.items)) {
      const { bits: inside, exits, addBehind } = this.#ofItemBefore(item, tail);
      bits = bits === undefined ? inside.slice() : addBits(inside, bits);
      if (exits !== undefined) this.#walker.walkExits(exits, tail, { bits });
      addBehind?.(tail, bits);
    }
    bits ??= new Uint32Array(this.words);
    this.#hold(bits);
    this.#ofState.set(state, bits);
    return bits;
  }

  /** The same for a place where a token that begins with a space loses it. */
  withoutFirstSpace(state: State): Uint32Array {
    const bits = new Uint32Array(this.words);
    this.#walker.walkDroppingSpace(state, { bits });
    return bits;
  }

  /**
   * From where on the bytes might be a part of a token that goes on behind them, in the state that follows them; their
   * length where none does.
   */
  extensibleFrom(bytes: Uint8Array, after: State): number {
    let from = Math.max(0, bytes.length - this.trie.maxDepth);
    while (from < bytes.length && !this.#walker.goesOn(bytes.subarray(from), after)) from++;
    return from;
  }

  /** Within the body of `item`, and where it is left for `tail`. */
  #ofItemBefore(item: number, tail: State): CountedReach {
    const hasAfter = tail.items.length > 0;
    const known = this.#ofItem.get(item);
    const isEnough = known !== undefined && (!hasAfter || known.exits !== undefined);
    if (isEnough && !this.#isAlike(known, tail)) return known;
    const isCounted = this.states.program.items.kind(item) === itemKind.count;
    const counted = isCounted ? this.#repeats.after(item, hasAfter) : undefined;
    const isGood = counted !== undefined && !this.#isAlike(counted, tail);
    const reached = isGood ? counted : this.#walker.walk(item, hasAfter);
    this.#hold(reached.bits);
    this.#ofItem.set(item, reached);
    return reached;
  }

  #isAlike({ unlike }: Reached, tail: State): boolean {
    return unlike !== undefined && tail.items.length > 0 && this.states.beginAlike(unlike, tail);
  }

  #hold(bits: Uint32Array): void {
    this.#heldBytes += bits.byteLength;
    if (this.#heldBytes > maxMaskBytes) this.#forget();
  }

  #forget(): void {
    this.#ofItem = new Map();
    this.#ofState = new Map();
    this.#walker.ways.forget();
    this.#heldBytes = 0;
  }
}

function addBits(from: Uint32Array, to: Uint32Array): Uint32Array {
  for (let word = 0; word < to.length; word++) to[word] = (to[word] ?? 0) | (from[word] ?? 0);
  return to;
}

/** The items that the next byte may be of: those of the state, and those behind a body that may end here. */
function openBodies(
  state: State,
  items: Items,
): readonly { readonly item: number; readonly tail: State }[] {
  const bodies: { item: number; tail: State }[] = [];
  const seen = new Set([state]);
  for (const from of seen) {
    for (const [at, item] of from.items.entries()) {
      const tail = from.tails[at];
      if (tail === undefined) continue;
      bodies.push({ item, tail });
      if (items.isNullable(item)) seen.add(tail);
    }
  }
  return bodies;
}
