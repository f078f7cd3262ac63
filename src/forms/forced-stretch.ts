/** A stretch of bytes that an answer must have next, as the tokens that the tokenizer would write for it. */
import { controlBegin, controlEnd, type TokenTrie } from "../text/token-trie.ts";

interface StretchPlace {
  readonly trie: TokenTrie;
  /** The tokens before it. */
  readonly before: readonly number[];
  readonly encode: (text: string) => readonly number[];
}

/** Tokens before a stretch that are encoded with it: pieces of text that are split apart reach no further. */
const contextTokens = 8;

/**
 * Fewer bytes where the last character is not whole; no tokens where none spell it. Where the text before it breaks at its
 * beginning when both are encoded together, the tokens are those of the whole.
 */
export function encodeStretch(bytes: Uint8Array, place: StretchPlace): readonly number[] {
  const tokens: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const begin = bytes.indexOf(controlBegin, at);
    const end = begin < 0 ? bytes.length : begin;
    const found =
      end > at
        ? encodeText(bytes.subarray(at, end), { ...place, before: [...place.before, ...tokens] })
        : controlToken(bytes.subarray(at), place.trie);
    if (found.length === 0) break;
    tokens.push(...found);
    if (end > at) at = end;
    else at = bytes.indexOf(controlEnd, at) + 1;
  }
  return tokens;
}

/** The control token that these bytes begin with, as a list. */
function controlToken(bytes: Uint8Array, trie: TokenTrie): readonly number[] {
  const token = trie.controlToken(bytes.subarray(0, bytes.indexOf(controlEnd) + 1));
  return token === undefined ? [] : [token];
}

function encodeText(bytes: Uint8Array, { trie, before, encode }: StretchPlace): readonly number[] {
  const whole = bytes.subarray(0, wholeCharacters(bytes));
  if (whole.length === 0) return [];
  const all = Buffer.concat(before.slice(-contextTokens).map((token) => trie.bytesOf(token)));
  const context = all.subarray(all.lastIndexOf(controlEnd) + 1);
  let begin = 0;
  while (begin < context.length && isContinuation(context[begin] ?? 0)) begin++;
  const text = Buffer.concat([context.subarray(begin), whole]).toString("utf8");
  const alone = Buffer.from(whole).toString("utf8");
  return spelling(encode(text), whole, trie) ?? spelling(encode(alone), whole, trie) ?? [];
}

/** The last of the tokens that are these bytes together; undefined where there is no break in front of them. */
function spelling(
  tokens: readonly number[],
  bytes: Uint8Array,
  trie: TokenTrie,
): readonly number[] | undefined {
  let left = bytes.length;
  let first = tokens.length;
  while (left > 0 && first > 0) {
    const token = tokens[--first] ?? 0;
    if (!trie.has(token)) return undefined;
    const piece = trie.bytesOf(token);
    left -= piece.length;
    if (left < 0 || Buffer.compare(piece, bytes.subarray(left, left + piece.length)) !== 0) {
      return undefined;
    }
  }
  return left === 0 ? tokens.slice(first) : undefined;
}

/** The length up to which no character is cut. */
function wholeCharacters(bytes: Uint8Array): number {
  let begin = bytes.length;
  while (begin > 0 && isContinuation(bytes[begin - 1] ?? 0)) begin--;
  const lead = bytes[begin - 1] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  return begin - 1 + length <= bytes.length ? bytes.length : Math.max(0, begin - 1);
}

function isContinuation(byte: number): boolean {
  return byte >> 6 === 0b10;
}
