/**
 * SentencePiece as llama.cpp does it (`tokenizer.ggml.model` = "llama"): neighbouring pieces are merged into the
 * token of the highest score; what is no token is written as byte tokens. Works on byte strings.
 */
import { byteStringOf } from "./byte-text.ts";
import { type Encoder, keptSymbols } from "./encoder.ts";
import { PairMerger } from "./pair-merger.ts";
import { tokenType, type Vocabulary, type VocabularyMetadata } from "./vocabulary.ts";

export function createSentencePiece(
  metadata: VocabularyMetadata,
  vocabulary: Vocabulary,
  unknown: number | undefined,
): Encoder {
  const table = new PieceTable(vocabulary, unknown);
  const addsSpacePrefix = metadata.optionalBoolean("tokenizer.ggml.add_space_prefix") ?? true;
  const merger = new PairMerger();
  return {
    addsSpacePrefix,
    encode(bytes, output) {
      const text = bytes.replaceAll(" ", escapedSpace);
      const characters = characterBoundaries(text);
      const ends = (characters.length > keptSymbols ? new PairMerger() : merger).merge(
        characters,
        (start, _, end) => table.priorityOf(text, start, end),
      );
      for (let piece = 0; piece + 1 < ends.length; piece++) {
        table.write(text.slice(ends[piece], ends[piece + 1]), output);
      }
    },
    bytesOf: (id) => table.bytesOf(id),
  };
}

/** U+2581, which stands for a space. */
const escapedSpace = "\xe2\x96\x81";

/** By the lead byte alone, also where the text is no UTF-8 (llama.cpp's unicode_len_utf8). */
function characterBoundaries(text: string): number[] {
  const boundaries: number[] = [];
  for (let at = 0; at < text.length; ) {
    boundaries.push(at);
    const lead = text.charCodeAt(at);
    at += lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  }
  boundaries.push(text.length);
  return boundaries;
}

/** Tokens by their bytes. */
class PieceTable {
  readonly #vocabulary: Vocabulary;
  readonly #ids = new Map<string, number>();
  readonly #byteIds: readonly (number | undefined)[];
  readonly #unknown: number | undefined;
  readonly #longest: number;

  constructor(vocabulary: Vocabulary, unknown: number | undefined) {
    this.#vocabulary = vocabulary;
    this.#unknown = unknown;
    let longest = 0;
    for (const [id, token] of vocabulary.tokens.entries()) {
      const bytes = byteStringOf(token);
      longest = Math.max(longest, bytes.length);
      if (bytes !== "" && !this.#ids.has(bytes)) this.#ids.set(bytes, id);
    }
    this.#longest = longest;
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

  write(piece: string, output: number[]): void {
    const id = this.#ids.get(piece);
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
        return Buffer.from(token.replaceAll("\u2581", " "));
      case tokenType.byte: {
        const byte = byteOfToken(token);
        return byte === undefined ? Buffer.from(token) : Uint8Array.of(byte);
      }
      case tokenType.unused:
      case tokenType.undefined:
        return new Uint8Array(0);
      default:
        return Buffer.from(token);
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
