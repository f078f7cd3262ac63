/** What SentencePiece and byte-pair encoding have in common: text without special tokens to ids and back. */
import type { Pausable } from "../core/pausable.ts";

export interface Encoder {
  /** Appends the ids of a byte string (byte-text.ts) that holds no special tokens. Pauses between its pieces. */
  encode(bytes: string, output: number[]): Pausable<void>;
  /** The bytes that a normal, user-defined or byte token stands for. */
  bytesOf(id: number): Uint8Array;
  /** A space is put before text at the start and after special tokens. */
  readonly addsSpacePrefix: boolean;
}

/** Pieces that are encoded between two pauses: some 0.2 ms, unless a piece is very long. */
export const piecesPerPause = 256;

/** Texts of more symbols than this get work arrays of their own, so that a tokenizer does not keep theirs. */
export const keptSymbols = 4096;
