/**
 * Text as bytes. A *byte string* has one character (0 to 255) per byte: SentencePiece and the search for
 * special tokens work on it, so that bytes that are no UTF-8 stay what they are.
 * Byte-pair vocabularies write each byte as a printable character (GPT-2's bytes_to_unicode).
 */
import {
  byteStringOfBytes,
  bytesOfByteString,
  sameBytes,
  textInUtf8,
  textOfUtf8,
  utf8Of,
} from "../core/bytes.ts";

/** A lone surrogate U+DC80 to U+DCFF stands for a byte outside valid UTF-8 (as in Python's PEP 383). */
const escapeBase = 0xdc00;

export function byteStringOf(text: string | Uint8Array): string {
  return byteStringOfBytes(typeof text === "string" ? utf8Of(text) : text);
}

/** UTF-16 text of a byte string; bytes that are no UTF-8 become lone surrogates. */
export function textOfByteString(byteString: string): string {
  const bytes = bytesOfByteString(byteString);
  const text = textOfUtf8(bytes);
  if (!text.includes("\ufffd") || sameBytes(utf8Of(text), bytes)) return text;
  return escapeInvalid(bytes);
}

/** The text with every escaped byte shown as U+FFFD: same length, and well formed for regular expressions. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

function escapeInvalid(bytes: Uint8Array): string {
  const parts: string[] = [];
  let validFrom = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(
      textInUtf8(bytes, validFrom, at),
      String.fromCharCode(escapeBase + (bytes[at] ?? 0)),
    );
    at++;
    validFrom = at;
  }
  parts.push(textInUtf8(bytes, validFrom, at));
  return parts.join("");
}

/** Bytes of the UTF-8 sequence that starts at `at`; 0 if there is none (Unicode 15, table 3-7). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const second = bytes[at + 1] ?? 0;
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let next = at + 2; next < at + length; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** GPT-2's table: byte → the character that stands for it in a byte-pair vocabulary. */
const symbolOfByte: readonly string[] = makeSymbols();
const byteOfSymbol: ReadonlyMap<string, number> = new Map(
  symbolOfByte.map((symbol, byte) => [symbol, byte]),
);

function makeSymbols(): string[] {
  let shifted = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable =
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isPrintable ? byte : 256 + shifted++);
  });
}

/** A piece of text in the alphabet of a byte-pair vocabulary: one character per byte. */
export function byteSymbolsOf(text: string): string {
  let symbols = "";
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) {
      symbols += symbolOfByte[unit] ?? "";
    } else if (unit > escapeBase && unit <= escapeBase + 0xff) {
      symbols += symbolOfByte[unit - escapeBase] ?? "";
    } else {
      const point = text.codePointAt(at) ?? 0;
      if (point > 0xffff) at++;
      for (const byte of utf8Of(String.fromCodePoint(point))) {
        symbols += symbolOfByte[byte] ?? "";
      }
    }
  }
  return symbols;
}

/** The bytes that a byte-pair token stands for; characters outside the alphabet stand for themselves. */
export function bytesOfSymbols(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const symbol of token) {
    const byte = byteOfSymbol.get(symbol);
    if (byte === undefined) bytes.push(...utf8Of(symbol));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}
