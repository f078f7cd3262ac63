/**
 * SentencePiece as llama.cpp does it (`tokenizer.ggml.model` = "llama"): neighbouring pieces are merged into the
 * token of the highest score; a piece without a token is written as byte tokens. Works on byte strings.
 */
import { bytesOfByteString, isUtf8, utf8Of } from "../core/bytes.ts";
import { entriesPerPause, type Pausable } from "../core/pausable.ts";
import { byteStringOf } from "./byte-text.ts";
import { type Encoder, keptSymbols, piecesPerPause } from "./encoder.ts";
import { PairMerger } from "./pair-merger.ts";
import { cachePieces } from "./piece-cache.ts";
import { tokenType, type Vocabulary, type VocabularyMetadata } from "./vocabulary.ts";

export function* createSentencePiece(
  metadata: VocabularyMetadata,
  vocabulary: Vocabulary,
  unknown: number | undefined,
): Pausable<Encoder> {
  const table = new PieceTable(vocabulary, unknown);
  yield* table.fill();
  const addsSpacePrefix = metadata.optionalBoolean("tokenizer.ggml.add_space_prefix") ?? true;
  const merger = new PairMerger();

  const encodePiece = (text: string): number[] => {
    const characters = characterBoundaries(text);
    const ends = (characters.length > keptSymbols ? new PairMerger() : merger).merge(
      characters,
      (start, _, end) => table.priorityOf(text, start, end),
    );
    const ids: number[] = [];
    for (let piece = 0; piece + 1 < ends.length; piece++) {
      table.write(text.slice(ends[piece], ends[piece + 1]), ids);
    }
    return ids;
  };
  const encodeWord = cachePieces(encodePiece);

  return {
    addsSpacePrefix,
    *encode(bytes, output) {
      const text = bytes.replaceAll(" ", escapedSpace);
      const isSeparable = table.wordsAreSeparate && isUtf8(bytesOfByteString(bytes));
      let pieces = 0;
      for (const piece of isSeparable ? wordsOf(text) : [text]) {
        if (++pieces % piecesPerPause === 0) yield;
        for (const id of encodeWord(piece)) output.push(id);
      }
    },
    bytesOf: (id) => table.bytesOf(id),
  };
}

/** U+2581, which stands for a space. */
export const escapedSpace = "\xe2\x96\x81";

/** Cut before each run of spaces. Nothing merges across such a cut where `wordsAreSeparate`. */
export function* wordsOf(text: string): Iterable<string> {
  let start = 0;
  let spaceEnd = 0;
  for (;;) {
    const space = text.indexOf(escapedSpace, spaceEnd);
    if (space === -1) break;
    if (space > spaceEnd && space > start) {
      yield text.slice(start, space);
      start = space;
    }
    spaceEnd = space + escapedSpace.length;
  }
  if (start < text.length) yield text.slice(start);
}

/** By the lead byte alone, also where the text is no UTF-8 (llama.cpp's unicode_len_utf8). */
export function characterBoundaries(text: string): number[] {
  const boundaries: number[] = [];
  for (let at = 0; at < text.length; ) {
    boundaries.push(at);
    const lead = text.charCodeAt(at);
    at += lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  }
  boundaries.push(text.length);
  return boundaries;
}

const spaceInside = /[^\u2581]\u2581/;

/** Tokens by their bytes. */
export class PieceTable {
  readonly #vocabulary: Vocabulary;
  readonly #ids = new Map<string, number>();
  readonly #unknown: number | undefined;
  #byteIds: readonly (number | undefined)[] = [];
  #longest = 0;
  /** No token has a space after something else, so that words can be merged one by one. */
  wordsAreSeparate = true;

  constructor(vocabulary: Vocabulary, unknown: number | undefined) {
    this.#vocabulary = vocabulary;
    this.#unknown = unknown;
  }

  *fill(): Pausable<void> {
    for (const [id, token] of this.#vocabulary.tokens.entries()) {
      if (id % entriesPerPause === 0) yield;
      const bytes = byteStringOf(token);
      if (bytes === "" || this.#ids.has(bytes)) continue;
      this.#ids.set(bytes, id);
      this.#longest = Math.max(this.#longest, bytes.length);
      if (spaceInside.test(token)) this.wordsAreSeparate = false;
    }
    this.#byteIds = Array.from(
      { length: 256 },
      (_, byte) => this.#ids.get(byteToken(byte)) ?? this.#ids.get(String.fromCharCode(byte)),
    );
  }

  priorityOf(text: string, start: number, end: number): number {
    if (end - start > this.#longest) return Number.POSITIVE_INFINITY;
    const id = this.#ids.get(text.slice(start, end));
    return id === undefined ? Number.POSITIVE_INFINITY : -(this.#vocabulary.scores[id] ?? 0);
  }

  idOf(piece: string): number | undefined {
    return this.#ids.get(piece);
  }

  /** The piece's token, or those of its bytes. */
  write(piece: string, output: number[]): void {
    const id = this.idOf(piece);
    if (id !== undefined) {
      output.push(id);
      return;
    }
    for (let at = 0; at < piece.length; at++) {
      const byteId = this.#byteIds[piece.charCodeAt(at)] ?? this.#unknown;
      if (byteId !== undefined) output.push(byteId);
    }
  }

  bytesOf(id: number): Uint8Array {
    const token = this.#vocabulary.tokens[id] ?? "";
    switch (this.#vocabulary.types[id]) {
      case tokenType.normal:
        return utf8Of(token.replaceAll("\u2581", " "));
      case tokenType.byte: {
        const byte = byteOfToken(token);
        return byte === undefined ? utf8Of(token) : Uint8Array.of(byte);
      }
      case tokenType.unused:
      case tokenType.undefined:
        return new Uint8Array(0);
      default:
        return utf8Of(token);
    }
  }
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

function byteOfToken(token: string): number | undefined {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
  return hex === undefined ? undefined : Number.parseInt(hex, 16);
}
