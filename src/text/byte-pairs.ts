/**
 * Byte-level byte-pair encoding (`tokenizer.ggml.model` = "gpt2"): text is cut by a pre-tokenizer, each piece
 * written in GPT-2's byte alphabet and merged by rank. As llama.cpp's llm_tokenizer_bpe, except that bytes which
 * are no UTF-8 keep their value (llama.cpp makes them U+FFFD).
 */

import { utf8Of } from "../core/bytes.ts";
import { entriesPerPause, type Pausable } from "../core/pausable.ts";
import { byteSymbolsOf, bytesOfSymbols, textOfByteString, wellFormed } from "./byte-text.ts";
import { type Encoder, keptSymbols } from "./encoder.ts";
import { indexMerges } from "./merge-ranks.ts";
import { PairMerger } from "./pair-merger.ts";
import { cachePieces } from "./piece-cache.ts";
import { eachPiece, type PreTokenizer } from "./pre-tokenizers.ts";
import { tokenType, type Vocabulary } from "./vocabulary.ts";

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
    const boundaries = new Int32Array(symbols.length + 1).map((_, offset) => offset);
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
    *encode(bytes, output) {
      const text = textOfByteString(bytes);
      // Cut as if escaped bytes were U+FFFD, which has the same length.
      yield* eachPiece(wellFormed(text), preTokenizer.cuts, (start, end) => {
        for (const id of encodePiece(text.slice(start, end))) output.push(id);
      });
    },
    bytesOf: (id) => bytesOfToken(vocabulary, id),
  };
}

function* indexTokens(tokens: readonly string[]): Pausable<ReadonlyMap<string, number>> {
  const ids = new Map<string, number>();
  for (const [id, token] of tokens.entries()) {
    if (id % entriesPerPause === 0) yield;
    if (token !== "" && !ids.has(token)) ids.set(token, id);
  }
  return ids;
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
      return utf8Of(token);
  }
}
