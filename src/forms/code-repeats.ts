/**
 * Masks inside a counted repeat of a code, such as the characters of a string of at most 500: how many words each token
 * has is counted once, so that the mask after any count is a copy and a few changes, not a walk over the vocabulary.
 */
import type { TokenTrie } from "../text/token-trie.ts";
import type { Program } from "./program.ts";
import type { State, States } from "./states.ts";
import type { Reached, TrieWalker } from "./trie-walker.ts";

interface CodeTokens {
  /** Tokens that a repeat without limits reads wholly. */
  readonly bits: Uint32Array;
  /** The same, by how many words they need: those that they end and one that they begin. */
  readonly tokens: Int32Array;
  /** `tokens` that need n words end before firstAbove[n]. */
  readonly firstAbove: Int32Array;
  /** Nodes behind so many whole words whose byte begins no word, by its class: where what follows may begin. */
  readonly exits: ReadonlyMap<number, { readonly nodes: number[]; readonly words: number[] }>;
}

export class CodeRepeats {
  readonly #states: States;
  readonly #trie: TokenTrie;
  readonly #walker: TrieWalker;
  readonly #program: Program;
  readonly #ofBody: Map<number, CodeTokens> = new Map();

  constructor(states: States, trie: TokenTrie, walker: TrieWalker) {
    this.#states = states;
    this.#program = states.program;
    this.#trie = trie;
    this.#walker = walker;
  }

  /** What a count item reaches; undefined where its repeat is none of a code, or what follows may begin like a word. */
  after(item: number, hasAfter: boolean): Reached | undefined {
    const counter = this.#program.counters[this.#program.a[item] ?? 0];
    const count = this.#program.b[item] ?? 0;
    if (!counter?.isCode) return undefined;
    const body = this.#states.before(counter.start);
    const next = this.#states.before(counter.next);
    if (this.#states.beginAlike(body, next)) return undefined;
    const code = this.#codeTokens(counter.start, body);
    const left = counter.most - count;
    const bits = this.#within(code, left);
    const exits = hasAfter ? new Map<number, number[]>() : undefined;
    const least = counter.least - count;
    for (const [byteClass, { nodes, words }] of code.exits) {
      const state = this.#states.after(next, byteClass);
      const isDead = state === this.#states.dead;
      const isEnd = exits !== undefined && this.#program.nullable[counter.next] === true;
      if (isDead && !isEnd) continue;
      const leaving = nodes.filter((_, at) => {
        const needed = words[at] ?? 0;
        return needed >= least && needed <= left;
      });
      if (isEnd) exits.set(byteClass, leaving);
      if (!isDead) for (const node of leaving) this.#walker.walkAt(node, state, { bits, exits });
    }
    return { bits, exits, unlike: body };
  }

  /** The tokens of `code` that need at most `words`. */
  #within(code: CodeTokens, words: number): Uint32Array {
    const { bits, tokens, firstAbove } = code;
    const above = firstAbove[Math.min(words, firstAbove.length - 1)] ?? tokens.length;
    if (above > tokens.length / 2) {
      const some = bits.slice();
      for (const token of tokens.subarray(above)) {
        some[token >> 5] = (some[token >> 5] ?? 0) & ~(1 << (token & 31));
      }
      return some;
    }
    const some = new Uint32Array(bits.length);
    for (const token of tokens.subarray(0, above)) setBit(some, token);
    return some;
  }

  #codeTokens(start: number, body: State): CodeTokens {
    const known = this.#ofBody.get(start);
    if (known !== undefined) return known;
    const { bytes, depths, ends, firstTokens, tokens, maxDepth } = this.#trie;
    const { dead } = this.#states;
    const bits = new Uint32Array(this.#walker.words);
    const needing: number[][] = [];
    const exits = new Map<number, { nodes: number[]; words: number[] }>();
    const path: State[] = new Array<State>(maxDepth + 1).fill(dead);
    const wordsAt = new Uint16Array(maxDepth + 1);
    path[0] = body;
    for (let node = 0; node < bytes.length; ) {
      const depth = depths[node] ?? 0;
      const before = path[depth - 1] ?? dead;
      const words = wordsAt[depth - 1] ?? 0;
      const after = this.#states.after(before, this.#walker.classOfNode(node));
      if (after === dead) {
        if (before === body) addExit(exits, this.#walker.classOfNode(node), { node, words });
        node = ends[node] ?? bytes.length;
        continue;
      }
      // A word of a code ends where its body does: nothing of it goes on.
      const isWhole = after.isComplete;
      path[depth] = isWhole ? body : after;
      wordsAt[depth] = isWhole ? words + 1 : words;
      const last = firstTokens[node + 1] ?? 0;
      for (let at = firstTokens[node] ?? 0; at < last; at++) {
        const token = tokens[at] ?? 0;
        setBit(bits, token);
        needing[words + 1] ??= [];
        needing[words + 1]?.push(token);
      }
      node++;
    }
    const found = { bits, ...byNeed(needing), exits };
    this.#ofBody.set(start, found);
    return found;
  }
}

function addExit(
  exits: Map<number, { nodes: number[]; words: number[] }>,
  byteClass: number,
  exit: { readonly node: number; readonly words: number },
): void {
  const known = exits.get(byteClass);
  if (known === undefined) {
    exits.set(byteClass, { nodes: [exit.node], words: [exit.words] });
  } else {
    known.nodes.push(exit.node);
    known.words.push(exit.words);
  }
}

function byNeed(needing: readonly (readonly number[] | undefined)[]): {
  tokens: Int32Array;
  firstAbove: Int32Array;
} {
  const tokens: number[] = [];
  const firstAbove: number[] = [];
  for (let words = 0; words < needing.length; words++) {
    for (const token of needing[words] ?? []) tokens.push(token);
    firstAbove.push(tokens.length);
  }
  return { tokens: Int32Array.from(tokens), firstAbove: Int32Array.from(firstAbove) };
}

function setBit(bits: Uint32Array, token: number): void {
  bits[token >> 5] = (bits[token >> 5] ?? 0) | (1 << (token & 31));
}
