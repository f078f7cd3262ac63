/**
 * Bytes and texts by what browsers know as well as Node, and faster where there is Node's Buffer. A *byte string* has one character (0 to 255) per
 * byte, which TextDecoder's "latin1" does not give (it is windows-1252).
 */
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A lone surrogate becomes U+FFFD. */
export function utf8Of(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Bytes that are no UTF-8 become U+FFFD. */
export function textOfUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** As textOfUtf8. @throws TypeError for bytes that are no UTF-8. */
export function textOfValidUtf8(bytes: Uint8Array): string {
  return strictDecoder.decode(bytes);
}

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

interface Conversions {
  byteStringOfBytes(bytes: Uint8Array): string;
  bytesOfByteString(byteString: string): Uint8Array;
  /** textOfUtf8 of a part. */
  textInUtf8(bytes: Uint8Array, start: number, end: number): string;
}

const portable: Conversions = {
  byteStringOfBytes: (bytes) => {
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  },
  bytesOfByteString: (byteString) =>
    Uint8Array.from({ length: byteString.length }, (_, at) => byteString.charCodeAt(at)),
  textInUtf8: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)),
};

/** Several times as fast: a vocabulary is a hundred thousand short strings, and a text goes through twice. */
const ofNode: Conversions = {
  byteStringOfBytes: (bytes) => bufferOf(bytes).toString("latin1"),
  bytesOfByteString: (byteString) => Buffer.from(byteString, "latin1"),
  textInUtf8: (bytes, start, end) => bufferOf(bytes).toString("utf8", start, end),
};

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

const known: Conversions = typeof Buffer === "undefined" ? portable : ofNode;

export const byteStringOfBytes: Conversions["byteStringOfBytes"] = known.byteStringOfBytes;
export const bytesOfByteString: Conversions["bytesOfByteString"] = known.bytesOfByteString;
export const textInUtf8: Conversions["textInUtf8"] = known.textInUtf8;
