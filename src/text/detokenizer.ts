/**
 * Tokens to text, one by one: a character whose bytes come in several tokens is held back until it is whole,
 * and bytes that are not UTF-8 become U+FFFD. Streaming gives the same text as decoding all at once.
 */
import { textOfUtf8 } from "../core/bytes.ts";

export interface Detokenizer {
  /** The text that is certain after this token; "" while a character is incomplete. */
  push(id: number): string;
  /** What a control token says that `push` leaves out; "" for any other. */
  hiddenText(id: number): string;
  /** What was held back: an incomplete character becomes U+FFFD. */
  end(): string;
}

export interface DetokenizerOptions {
  /** Control and unknown tokens are written out too. Default false. */
  readonly showSpecial?: boolean;
  /** The token before the first one that is pushed; undefined at the start of a text. */
  readonly previous?: number | undefined;
}

/** What a detokenizer asks of a vocabulary. */
export interface PieceSource {
  bytesOf(id: number): Uint8Array;
  isSpecial(id: number): boolean;
  isHidden(id: number): boolean;
  readonly addsSpacePrefix: boolean;
}

export function createDetokenizer(pieces: PieceSource, options: DetokenizerOptions): Detokenizer {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const { showSpecial = false, previous } = options;
  let isAfterSpecial = previous === undefined || pieces.isSpecial(previous);
  return {
    push(id) {
      const dropsSpace = pieces.addsSpacePrefix && isAfterSpecial && !pieces.isSpecial(id);
      isAfterSpecial = pieces.isSpecial(id);
      // A character that a control token cuts short stands in front of it.
      if (pieces.isHidden(id) && !showSpecial) return decoder.decode();
      const bytes = pieces.bytesOf(id);
      const start = dropsSpace && bytes[0] === 0x20 ? 1 : 0;
      return decoder.decode(bytes.subarray(start), { stream: true });
    },
    hiddenText: (id) => (pieces.isHidden(id) && !showSpecial ? textOfUtf8(pieces.bytesOf(id)) : ""),
    end: () => decoder.decode(),
  };
}
