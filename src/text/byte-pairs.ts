/**
 * Byte-level byte-pair encoding (`tokenizer.ggml.model` = "gpt2"): text is cut by a pre-tokenizer, each piece
 * written in GPT-2's byte alphabet and merged by rank. As llama.cpp's llm_tokenizer_bpe, except that bytes which
 * are no UTF-8 keep their value (llama.cpp makes them U+FFFD).
 */

import { entriesPerPause, type Pausable } from "../core/pausable.ts";
import { byteSymbolsOf, bytesOfSymbols, textOfByteString, wellFormed } from "./byte-text.ts";
import { type Encoder, keptSymbols } from "./encoder.ts";
import { PairMerger } from "./pair-merger.ts";
import { cachePieces } from "./piece-cache.ts";
import { type PreTokenizer, splitText } from "./pre-tokenizers.ts";
import { malformed, tokenType, type Vocabulary } from "./vocabulary.ts";

export function* createBytePairs(
  vocabulary: Vocabulary,
  preTokenizer: PreTokenizer,
  unknown: number | undefined,
): Pausable<Encoder> {
  const ids = yield* indexTokens(vocabulary.tokens);
  const merges = yield* indexMerges(vocabulary);
  const merger = new PairMerger();

  const encodePiece = cachePieces((piece) => {
    const symbols = byteSymbolsOf(piece);
    if (preTokenizer.ignoresMerges) {
      const whole = ids.get(symbols);
      if (whole !== undefined) return [whole];
    }
    const boundaries = Array.from({ length: symbols.length + 1 }, (_, offset) => offset);
    const ends = (symbols.length > keptSymbols ? new PairMerger() : merger).merge(
      boundaries,
      (start, middle, end) => merges.rankOf(symbols, start, middle, end),
    );
    const output: number[] = [];
    for (let part = 0; part + 1 < ends.length; part++) {
      writeSymbols(symbols.slice(ends[part], ends[part + 1]), ids, unknown, output);
    }
    return output;
  });

  return {
    addsSpacePrefix: false,
    encode(bytes, output) {
      for (const stretch of stretchesOf(textOfByteString(bytes))) {
        for (const piece of piecesOf(stretch, preTokenizer)) {
          for (const id of encodePiece(piece)) output.push(id);
        }
      }
    },
    bytesOf: (id) => bytesOfToken(vocabulary, id),
  };
}

/**
 * Regular expressions run on at most this much text at once: V8 gives up ("Maximum call stack size exceeded") on
 * a match of some million characters beyond ASCII. Cuts fall before a space between ASCII letters, where every pre-tokenizer
 * cuts; only a longer text without any such place is cut elsewhere.
 */
const stretchLength = 1 << 18;

function* stretchesOf(text: string): Iterable<string> {
  let start = 0;
  while (text.length - start > stretchLength) {
    const end = start + stretchEnd(text.slice(start, start + stretchLength));
    yield text.slice(start, end);
    start = end;
  }
  yield text.slice(start);
}

function stretchEnd(window: string): number {
  for (let at = window.length - 2; at > 0; at--) {
    if (window[at] === " " && isLetter(window, at - 1) && isLetter(window, at + 1)) return at;
  }
  const last = window.charCodeAt(window.length - 1);
  const isHalfOfPair = last >= 0xd800 && last <= 0xdbff;
  return isHalfOfPair ? window.length - 1 : window.length;
}

function isLetter(text: string, at: number): boolean {
  const lower = text.charCodeAt(at) | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

/** Cut as if escaped bytes were U+FFFD, which has the same length. */
function piecesOf(text: string, preTokenizer: PreTokenizer): readonly string[] {
  const shown = wellFormed(text);
  const pieces = splitText(shown, preTokenizer.cuts);
  if (shown === text) return pieces;
  let start = 0;
  return pieces.map((piece) => {
    const end = start + piece.length;
    const original = text.slice(start, end);
    start = end;
    return original;
  });
}

function* indexTokens(tokens: readonly string[]): Pausable<ReadonlyMap<string, number>> {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if (id % entriesPerPause === 0) yield;
    if (token !== "" && !ids.has(token)) ids.set(token, id);
  }
  return ids;
}

interface MergeRanks {
  /** Infinity if the two parts of symbols[start, end) are not merged. */
  rankOf(symbols: string, start: number, middle: number, end: number): number;
}

function* indexMerges(vocabulary: Vocabulary): Pausable<MergeRanks> {
  const ranks = new Map<string, number>();
  let longest = 0;
  for (const [rank, merge] of vocabulary.merges.entries()) {
    if (rank % entriesPerPause === 0) yield;
    if (merge.indexOf(" ", 1) === -1) {
      const expected = 'two symbols with a space between them, such as "h e"';
      const where = `tokenizer.ggml.merges, entry ${rank}`;
      throw malformed(vocabulary.file, where, JSON.stringify(merge), expected);
    }
    longest = Math.max(longest, merge.length - 1);
    if (!ranks.has(merge)) ranks.set(merge, rank);
  }
  return {
    rankOf(symbols, start, middle, end) {
      if (end - start > longest) return Number.POSITIVE_INFINITY;
      const pair = `${symbols.slice(start, middle)} ${symbols.slice(middle, end)}`;
      return ranks.get(pair) ?? Number.POSITIVE_INFINITY;
    },
  };
}

/** Merged symbols that are no token, in a vocabulary with holes, are written one by one. */
function writeSymbols(
  symbols: string,
  ids: ReadonlyMap<string, number>,
  unknown: number | undefined,
  output: number[],
): void {
  const whole = ids.get(symbols);
  if (whole !== undefined) {
    output.push(whole);
    return;
  }
  for (const symbol of symbols) {
    const id = ids.get(symbol) ?? unknown;
    if (id !== undefined) output.push(id);
  }
}

function bytesOfToken(vocabulary: Vocabulary, id: number): Uint8Array {
  const token = vocabulary.tokens[id] ?? "";
  switch (vocabulary.types[id]) {
    case tokenType.normal:
      return bytesOfSymbols(token);
    case tokenType.unused:
    case tokenType.undefined:
      return new Uint8Array(0);
    default:
      return Buffer.from(token);
  }
}
