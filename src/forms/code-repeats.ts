/**
 * Masks inside a counted repeat of a code, such as the characters of a string of at most 500: how many words each token
 * has is counted once, so that the mask after any count is a copy and a few changes, not a walk over the vocabulary.
 */
import { type Pausable, runAtOnce } from "../core/pausable.ts";
import type { TokenTrie } from "../text/token-trie.ts";
import type { Program } from "./program.ts";
import type { State, States } from "./states.ts";
import type { Reached, TrieWalker } from "./trie-walker.ts";
import { deadRow, unknownWay, WayTable } from "./way-table.ts";

/** Tokens in the order of how many words they need. */
interface TokensByWords {
  readonly tokens: Int32Array;
  /** `tokens` that need n words end before firstAbove[n]. */
  readonly firstAbove: Int32Array;
}

/** Nodes by the class of their byte. */
type Exits = Map<number, number[]>;

interface CodeTokens {
  /** Tokens that a repeat without limits reads wholly. */
  readonly bits: Uint32Array;
  /** The same, by the words that they end and one that they begin. */
  readonly within: TokensByWords;
  /** Behind so many whole words: nodes whose byte begins no word, where what follows may begin. */
  readonly exits: readonly Exits[];
}

/** What tokens reach that leave a repeat, by the whole words before. */
interface Leaving {
  /** Those that are read by what follows in the same body. */
  readonly within: TokensByWords;
  /** Where that body too is left. */
  readonly exits: readonly (readonly (readonly [byteClass: number, nodes: readonly number[]])[])[];
  /** Those that go on from there, by the state behind the body. */
  readonly behind: WeakMap<State, TokensByWords>;
}

/** A repeat at a count: what `Masks` adds for each state that may follow its body. */
export interface CountedReach extends Reached {
  /** Sets the bits of tokens that leave the body and go on in `tail`. */
  readonly addBehind?: (tail: State, bits: Uint32Array) => void;
}

/** Codes that are known at once: each has some 700 KB for a vocabulary of 150,000. */
const maxCodes = 16;
/** Nodes between two pauses: below 1 ms. */
const nodesPerPause = 1 << 14;

export class CodeRepeats {
  readonly #states: States;
  readonly #trie: TokenTrie;
  readonly #walker: TrieWalker;
  readonly #program: Program;
  readonly #ofBody: Map<number, CodeTokens> = new Map();
  /** By the first items of the body and of what follows. */
  readonly #leaving: Map<string, Leaving> = new Map();

  constructor(states: States, trie: TokenTrie, walker: TrieWalker) {
    this.#states = states;
    this.#program = states.program;
    this.#trie = trie;
    this.#walker = walker;
  }

  /** Counts the words of all tokens, for as many codes as are kept. */
  *prepare(): Pausable<void> {
    const starts = new Set<number>();
    for (const { start, isCode } of this.#program.counters) if (isCode) starts.add(start);
    for (const start of [...starts].slice(0, maxCodes)) {
      this.#states.startWork();
      yield* this.#codeTokens(start, this.#states.before(start));
    }
  }

  /** What a count item reaches; undefined where its repeat is none of a code, or what follows may begin like a word. */
  after(item: number, hasAfter: boolean): CountedReach | undefined {
    const { counters, items } = this.#program;
    const counter = counters[items.a(item)];
    const count = items.b(item);
    if (!counter?.isCode) return undefined;
    const body = this.#states.before(counter.start);
    if (this.#states.beginAlike(body, this.#states.before(counter.next))) return undefined;
    const code = runAtOnce(this.#codeTokens(counter.start, body));
    const leaving = this.#leavingOf(counter, code);
    const left = counter.most - count;
    const least = Math.max(0, counter.least - count);
    const bits = within(code, left);
    for (const token of tokensOf(leaving.within, { least, most: left })) setBit(bits, token);
    // Where the repeat ends its body, what comes after that might begin like one more word.
    const unlike = items.isNullable(counter.next) && { unlike: body };
    if (!hasAfter) return { bits, exits: undefined, ...unlike };
    const addBehind = (tail: State, into: Uint32Array): void => {
      const behind = this.#behind(leaving, tail);
      for (const token of tokensOf(behind, { least, most: left })) setBit(into, token);
    };
    return { bits, exits: [], addBehind, ...unlike };
  }

  /** Looked up once for all counts. */
  #behind(leaving: Leaving, tail: State): TokensByWords {
    const known = leaving.behind.get(tail);
    if (known !== undefined) return known;
    const found = this.#byWords(leaving.exits.length, (words, bits) =>
      this.#walker.walkExits(leaving.exits[words] ?? [], tail, { bits }),
    );
    leaving.behind.set(tail, found);
    return found;
  }

  /** `walk` sets the bits of the tokens behind so many words. */
  #byWords(counts: number, walk: (words: number, bits: Uint32Array) => void): TokensByWords {
    const bits = new Uint32Array(this.#walker.words);
    const tokens: number[] = [];
    const firstAbove: number[] = [];
    for (let words = 0; words < counts; words++) {
      bits.fill(0);
      walk(words, bits);
      addTokens(bits, tokens);
      firstAbove.push(tokens.length);
    }
    return { tokens: Int32Array.from(tokens), firstAbove: Int32Array.from(firstAbove) };
  }

  #leavingOf(
    counter: { readonly start: number; readonly next: number },
    code: CodeTokens,
  ): Leaving {
    const key = `${counter.start},${counter.next}`;
    const known = this.#leaving.get(key);
    if (known !== undefined) return known;
    const next = this.#states.before(counter.next);
    const isEnd = this.#program.items.isNullable(counter.next);
    const found: (readonly [number, readonly number[]])[][] = [];
    const read = this.#byWords(code.exits.length, (words, bits) => {
      const exits: Exits = code.exits[words] ?? new Map();
      const behind: Exits = new Map();
      this.#walker.walkExits(exits, next, { bits, exits: behind });
      found.push(isEnd ? [...exits, ...behind] : [...behind]);
    });
    const leaving = { within: read, exits: found, behind: new WeakMap<State, TokensByWords>() };
    this.#leaving.set(key, leaving);
    return leaving;
  }

  *#codeTokens(start: number, body: State): Pausable<CodeTokens> {
    const known = this.#ofBody.get(start);
    if (known !== undefined) return known;
    const { bytes, depths, ends, firstTokens, tokens, maxDepth, vocabularySize } = this.#trie;
    const ways = new WayTable(this.#states);
    const bits = new Uint32Array(this.#walker.words);
    const wordsOf = new Uint16Array(vocabularySize);
    const exits: Exits[] = [];
    const path = new Int32Array(maxDepth + 1);
    const wordsAt = new Uint16Array(maxDepth + 1);
    const bodyRow = ways.rowOf(body);
    path[0] = bodyRow;
    let { next } = ways;
    let pauseAt = nodesPerPause;
    for (let node = 0; node < bytes.length; ) {
      if (node >= pauseAt) {
        pauseAt = node + nodesPerPause;
        yield;
      }
      const depth = depths[node] ?? 0;
      const before = path[depth - 1] ?? deadRow;
      const words = wordsAt[depth - 1] ?? 0;
      const byteClass = this.#walker.classOfNode(node);
      let after = next[before + byteClass] ?? deadRow;
      if (after === unknownWay) {
        after = ways.find(before, byteClass);
        next = ways.next;
      }
      if (after === deadRow) {
        if (before === bodyRow) addExit(exits, words, { byteClass, node });
        node = ends[node] ?? bytes.length;
        continue;
      }
      // A word of a code ends where its body does: nothing of it goes on.
      const isWhole = ways.isComplete(after);
      path[depth] = isWhole ? bodyRow : after;
      wordsAt[depth] = isWhole ? words + 1 : words;
      const last = firstTokens[node + 1] ?? 0;
      for (let at = firstTokens[node] ?? 0; at < last; at++) {
        const token = tokens[at] ?? 0;
        setBit(bits, token);
        wordsOf[token] = words + 1;
      }
      node++;
    }
    const found = {
      bits,
      within: byWords(wordsOf),
      exits: Array.from(exits, (at) => at ?? new Map()),
    };
    if (this.#ofBody.size >= maxCodes) {
      this.#ofBody.clear();
      this.#leaving.clear();
    }
    this.#ofBody.set(start, found);
    return found;
  }
}

/** The tokens of `code` that need at most `words`. */
function within({ bits, within }: CodeTokens, words: number): Uint32Array {
  const { tokens } = within;
  const fitting = tokensOf(within, { least: 0, most: words });
  if (fitting.length > tokens.length / 2) {
    const some = bits.slice();
    for (const token of tokens.subarray(fitting.length)) {
      some[token >> 5] = (some[token >> 5] ?? 0) & ~(1 << (token & 31));
    }
    return some;
  }
  const some = new Uint32Array(bits.length);
  for (const token of fitting) setBit(some, token);
  return some;
}

/** Those that need `least` to `most` words. */
function tokensOf(
  { tokens, firstAbove }: TokensByWords,
  { least, most }: { readonly least: number; readonly most: number },
): Int32Array {
  const upTo = (words: number): number =>
    words < 0 ? 0 : (firstAbove[Math.min(words, firstAbove.length - 1)] ?? 0);
  return tokens.subarray(upTo(least - 1), upTo(most));
}

function addExit(
  exits: Exits[],
  words: number,
  { byteClass, node }: { readonly byteClass: number; readonly node: number },
): void {
  const known = exits[words];
  const there = known ?? new Map<number, number[]>();
  if (known === undefined) exits[words] = there;
  const nodes = there.get(byteClass);
  if (nodes === undefined) there.set(byteClass, [node]);
  else nodes.push(node);
}

/** `wordsOf`: per token how many words it needs; 0 for one that is none of the code. */
function byWords(wordsOf: Uint16Array): TokensByWords {
  let most = 0;
  for (let token = 0; token < wordsOf.length; token++) most = Math.max(most, wordsOf[token] ?? 0);
  const counts = new Int32Array(most + 1);
  for (let token = 0; token < wordsOf.length; token++) {
    const words = wordsOf[token] ?? 0;
    counts[words] = (counts[words] ?? 0) + 1;
  }
  counts[0] = 0;
  const firstAbove = new Int32Array(most + 1);
  for (let words = 1; words <= most; words++) {
    firstAbove[words] = (firstAbove[words - 1] ?? 0) + (counts[words] ?? 0);
  }
  const tokens = new Int32Array(firstAbove[most] ?? 0);
  const end = firstAbove.slice();
  for (let token = 0; token < wordsOf.length; token++) {
    const words = wordsOf[token] ?? 0;
    if (words === 0) continue;
    const at = (end[words] ?? 0) - 1;
    tokens[at] = token;
    end[words] = at;
  }
  return { tokens, firstAbove };
}

function addTokens(bits: Uint32Array, tokens: number[]): void {
  for (let at = 0; at < bits.length; at++) {
    for (let rest = bits[at] ?? 0; rest !== 0; rest &= rest - 1) {
      tokens.push(32 * at + 31 - Math.clz32(rest & -rest));
    }
  }
}

function setBit(bits: Uint32Array, token: number): void {
  bits[token >> 5] = (bits[token >> 5] ?? 0) | (1 << (token & 31));
}
