/**
 * The bytes of all tokens of a vocabulary that may stand in an answer, as a trie: tokens that begin alike share a path.
 * The nodes lie in preorder, so that a subtree is a stretch of them and to skip one is a jump.
 */
import type { Pausable } from "../core/pausable.ts";

/** What a trie asks of a vocabulary. */
interface TokenBytes {
  readonly vocabularySize: number;
  readonly pieces: {
    bytesOf(id: number): Uint8Array;
    isHidden(id: number): boolean;
  };
}

export interface TokenTrie {
  readonly vocabularySize: number;
  /** Per node its last byte. The root is no node. */
  readonly bytes: Uint8Array;
  /** Per node how many bytes lead to it, from 1. */
  readonly depths: Uint16Array;
  /** Per node the first node behind its subtree. */
  readonly ends: Int32Array;
  /** Node n's tokens are those at firstTokens[n] to firstTokens[n + 1] of `tokens`. */
  readonly firstTokens: Int32Array;
  readonly tokens: Int32Array;
  readonly maxDepth: number;
  /** Whether the token is in the trie. */
  has(token: number): boolean;
  bytesOf(token: number): Uint8Array;
}

/** Longer tokens are left out of answers of a promised form: real vocabularies' longest has 1024 bytes. */
const maxTokenBytes = 4096;
const tokensPerPause = 2048;

/** Hidden tokens (control, unknown) and those without bytes are left out. */
export function* makeTokenTrie(vocabulary: TokenBytes): Pausable<TokenTrie> {
  const { vocabularySize, pieces } = vocabulary;
  const words: Uint8Array[] = [];
  const ids: number[] = [];
  let byteCount = 0;
  for (let id = 0; id < vocabularySize; id++) {
    if (id % tokensPerPause === 0) yield;
    const word = pieces.isHidden(id) ? noBytes : pieces.bytesOf(id);
    if (word.length === 0 || word.length > maxTokenBytes) continue;
    words.push(word);
    ids.push(id);
    byteCount += word.length;
  }
  const order = yield* sortedOrder(words);
  const bytes = new Uint8Array(byteCount);
  const depths = new Uint16Array(byteCount);
  const ends = new Int32Array(byteCount);
  const firstTokens = new Int32Array(byteCount + 1);
  const tokens = new Int32Array(ids.length);
  const path: number[] = [];
  let nodeCount = 0;
  let before: Uint8Array = noBytes;
  for (const [at, index] of order.entries()) {
    if (at % tokensPerPause === 0) yield;
    const word = words[index] ?? noBytes;
    const shared = sharedPrefix(before, word);
    for (let depth = path.length; depth > shared; depth--) ends[path.pop() ?? 0] = nodeCount;
    for (let depth = shared; depth < word.length; depth++) {
      bytes[nodeCount] = word[depth] ?? 0;
      depths[nodeCount] = depth + 1;
      firstTokens[nodeCount] = at;
      path.push(nodeCount++);
    }
    tokens[at] = ids[index] ?? 0;
    before = word;
  }
  for (const node of path) ends[node] = nodeCount;
  firstTokens[nodeCount] = tokens.length;
  const isIn = new Uint8Array(vocabularySize);
  for (const id of tokens) isIn[id] = 1;
  return {
    vocabularySize,
    bytes: bytes.slice(0, nodeCount),
    depths: depths.slice(0, nodeCount),
    ends: ends.slice(0, nodeCount),
    firstTokens: firstTokens.slice(0, nodeCount + 1),
    tokens,
    maxDepth: depths.reduce((most, depth) => Math.max(most, depth), 0),
    has: (token) => isIn[token] === 1,
    bytesOf: (token) => pieces.bytesOf(token),
  };
}

const noBytes: Uint8Array = new Uint8Array(0);
/** Words that a sort key has room for beside their first four bytes (2^53 / 2^32). */
const maxWords = 2 ** 20;

/** By bytes: first by four of them, as numbers, which is ten times as fast; then the words that begin alike. */
function* sortedOrder(words: readonly Uint8Array[]): Pausable<Uint32Array> {
  if (words.length > maxWords) {
    return Uint32Array.from(words.keys()).sort((one, other) => compare(words, one, other));
  }
  const keys = Float64Array.from(words, (word, at) => firstFour(word) * maxWords + at).sort();
  yield;
  const order = Uint32Array.from(keys, (key) => key % maxWords);
  const beginnings = keys.map((key) => Math.floor(key / maxWords));
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && beginnings[to] === beginnings[from]) to++;
    if (to - from > 1) order.subarray(from, to).sort((one, other) => compare(words, one, other));
    if (to % tokensPerPause === 0) yield;
  }
  return order;
}

function firstFour([first = 0, second = 0, third = 0, fourth = 0]: Uint8Array): number {
  return first * 2 ** 24 + second * 2 ** 16 + third * 2 ** 8 + fourth;
}

function compare(words: readonly Uint8Array[], one: number, other: number): number {
  return Buffer.compare(words[one] ?? noBytes, words[other] ?? noBytes) || one - other;
}

function sharedPrefix(one: Uint8Array, other: Uint8Array): number {
  const most = Math.min(one.length, other.length);
  let at = 0;
  while (at < most && one[at] === other[at]) at++;
  return at;
}
