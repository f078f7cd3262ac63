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
  /** Of a control token, its `controlBytes`. */
  bytesOf(token: number): Uint8Array;
  /** The first control token with these `controlBytes`; undefined where there is none. */
  controlToken(bytes: Uint8Array): number | undefined;
}

/** In no text in UTF-8: control tokens are told from their names in letters by them. */
export const controlBegin = 0xc0;
export const controlEnd = 0xc1;

/** What stands for a control token that says `text`: its bytes in octal digits that no text has. */
export function controlBytes(text: Uint8Array): Uint8Array {
  const digits = Array.from(text, (byte) => [byte >> 6, (byte >> 3) & 7, byte & 7]).flat();
  return Uint8Array.of(controlBegin, ...digits.map((digit) => 0xf8 + digit), controlEnd);
}

/** Longer tokens are left out of answers of a promised form: real vocabularies' longest has 1024 bytes. */
const maxTokenBytes = 4096;
const tokensPerPause = 2048;

/** Tokens without bytes are left out, and those of bytes that are in no text. */
export function* makeTokenTrie(vocabulary: TokenBytes): Pausable<TokenTrie> {
  const { vocabularySize, pieces } = vocabulary;
  const bytesOf = (id: number): Uint8Array => {
    const text = pieces.bytesOf(id);
    return pieces.isHidden(id) && text.length > 0 ? controlBytes(text) : text;
  };
  const controls = new Map<string, number>();
  const words: Uint8Array[] = [];
  const ids: number[] = [];
  let byteCount = 0;
  for (let id = 0; id < vocabularySize; id++) {
    if (id % tokensPerPause === 0) yield;
    const word = bytesOf(id);
    if (word.length === 0 || word.length > maxTokenBytes) continue;
    if (!pieces.isHidden(id)) {
      // A byte that no text has, as a token of its own: it must not pass for a part of a control token.
      if (word.some(isNoText)) continue;
    } else {
      const key = latin1(word);
      if (!controls.has(key)) controls.set(key, id);
    }
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
    bytesOf,
    controlToken: (bytes) => controls.get(latin1(bytes)),
  };
}

function isNoText(byte: number): boolean {
  return byte === controlBegin || byte === controlEnd || byte >= 0xf8;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
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
