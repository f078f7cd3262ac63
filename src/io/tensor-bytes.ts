/**
 * Reads the bytes of one tensor, whole or in pieces of bounded size. No mapping: that is the native runtime's.
 * Used where weights are looked at from TypeScript: the reference backend, quantising, tests.
 */
import { closeSync } from "node:fs";
import { readFully } from "./byte-source.ts";
import { openForReading } from "./open-file.ts";

/** Where a tensor lies: the absolute byte in that file, and how many. */
export interface TensorLocation {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A copy of the tensor's bytes, at the start of its own buffer (so any typed array can view it). */
export function readTensorBytes(location: TensorLocation): Uint8Array<ArrayBuffer> {
  const descriptor = openForReading(location.path);
  try {
    const bytes = new Uint8Array(location.bytes);
    readFully(descriptor, { path: location.path, offset: location.offset, bytes });
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The tensor's bytes in order, `pieceBytes` at a time (the last may be shorter).
 * One buffer is reused: a piece is valid until the next one is asked for. Leaving the loop early closes the file.
 */
export function* readPieces(
  location: TensorLocation,
  pieceBytes: number,
): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  if (!(Number.isInteger(pieceBytes) && pieceBytes > 0)) {
    throw new RangeError(`pieceBytes is ${pieceBytes}; it must be a whole number above 0`);
  }
  const descriptor = openForReading(location.path);
  try {
    const buffer = new Uint8Array(Math.min(pieceBytes, location.bytes));
    for (let done = 0; done < location.bytes; done += pieceBytes) {
      const piece = buffer.subarray(0, Math.min(pieceBytes, location.bytes - done));
      readFully(descriptor, { path: location.path, offset: location.offset + done, bytes: piece });
      yield piece;
    }
  } finally {
    closeSync(descriptor);
  }
}
