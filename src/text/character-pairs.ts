/**
 * Byte-pair encoding over characters (`tokenizer.ggml.model` = "gemma4"): a space is U+2581, lines are merged by rank
 * without being cut into words, and what has no token is written as byte tokens, as in SentencePiece. Works on byte strings.
 * As llama.cpp's LLAMA_VOCAB_PRE_TYPE_GEMMA4, except that bytes which are no UTF-8 keep their value.
 */
import { bytesOfByteString, isUtf8 } from "../core/bytes.ts";
import type { Pausable } from "../core/pausable.ts";
import { byteStringOf } from "./byte-text.ts";
import { type Encoder, keptSymbols, piecesPerPause } from "./encoder.ts";
import { indexMerges } from "./merge-ranks.ts";
import { PairMerger } from "./pair-merger.ts";
import { cachePieces } from "./piece-cache.ts";
import { characterBoundaries, escapedSpace, PieceTable, wordsOf } from "./sentencepiece.ts";
import type { Vocabulary } from "./vocabulary.ts";

export function* createCharacterPairs(
  vocabulary: Vocabulary,
  unknown: number | undefined,
): Pausable<Encoder> {
  const table = new PieceTable(vocabulary, unknown);
  yield* table.fill();
  const merges = yield* indexMerges(vocabulary, byteStringOf);
  /** No merge has a space after something else: then words can be merged one by one. */
  const wordsAreSeparate = !vocabulary.merges.some((merge) => spaceInside.test(merge));
  const merger = new PairMerger();

  const encodePiece = cachePieces((text) => {
    const characters = characterBoundaries(text);
    const ends = (characters.length > keptSymbols ? new PairMerger() : merger).merge(
      characters,
      (start, middle, end) => merges.rankOf(text, start, middle, end),
    );
    const ids: number[] = [];
    for (let piece = 0; piece + 1 < ends.length; piece++) {
      table.write(text.slice(ends[piece], ends[piece + 1]), ids);
    }
    return ids;
  });

  return {
    addsSpacePrefix: false,
    *encode(bytes, output) {
      const text = bytes.replaceAll(" ", escapedSpace);
      const isSeparable = wordsAreSeparate && isUtf8(bytesOfByteString(bytes));
      let pieces = 0;
      for (const [line] of text.matchAll(/[^\n]+|\n+/g)) {
        const newlines = line.startsWith("\n") ? table.idOf(line) : undefined;
        if (newlines !== undefined) output.push(newlines);
        else {
          for (const piece of isSeparable ? wordsOf(line) : [line]) {
            if (++pieces % piecesPerPause === 0) yield;
            for (const id of encodePiece(piece)) output.push(id);
          }
        }
      }
    },
    bytesOf: (id) => table.bytesOf(id),
  };
}

/** The left part of the pair ends before a space with which the right one begins. */
const spaceInside = /[^\u2581] \u2581/;
