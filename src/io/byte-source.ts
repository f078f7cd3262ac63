/**
 * Random access to bytes that are somewhere else: a file or memory. Readers of untrusted files stand on it,
 * so that a fuzzer can feed them without a disk. A read is whole or an error, never short.
 */

import { closeSync, fstatSync, readSync } from "node:fs";
import { counted } from "../core/counted.ts";
import { FileFormatError } from "../core/errors.ts";
import { openForReading } from "./open-file.ts";

export interface ByteSource {
  /** What errors call this source: a path. */
  readonly name: string;
  readonly size: number;
  /** The bytes [offset, offset + length), valid until the source is closed. @throws FileFormatError past the end. */
  read(offset: number, length: number): Uint8Array;
}

/** Bytes that are in memory already; `read` gives views, not copies. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: (offset, length) => {
      checkRange(name, { offset, length, size: bytes.length });
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** Opens a file, gives it to `use` as a ByteSource and closes it, whatever happens. */
export function withFile<Result>(path: string, use: (source: ByteSource) => Result): Result {
  using source = openSource(path);
  return use(source);
}

/** A file as a ByteSource; the opener closes it. */
export function openSource(path: string): ByteSource & Disposable {
  const descriptor = openForReading(path);
  const size = fstatSync(descriptor).size;
  return {
    name: path,
    size,
    read: (offset, length) => {
      checkRange(path, { offset, length, size });
      const bytes = new Uint8Array(length);
      readFully(descriptor, { path, offset, bytes });
      return bytes;
    },
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}

/** Fills `bytes` from `offset` of the file; a file that ends before is an error. */
export function readFully(
  descriptor: number,
  request: { readonly path: string; readonly offset: number; readonly bytes: Uint8Array },
): void {
  const { path, offset, bytes } = request;
  let done = 0;
  while (done < bytes.length) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, offset + done);
    if (count === 0) {
      throw new FileFormatError({
        file: path,
        where: "file",
        found: `its end, ${counted(bytes.length - done, "byte")} early`,
        expected: "the size it had when it was opened",
        offset: offset + done,
      });
    }
    done += count;
  }
}

function checkRange(
  file: string,
  range: { readonly offset: number; readonly length: number; readonly size: number },
): void {
  const { offset, length, size } = range;
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new FileFormatError({
    file,
    where: "file",
    found: `a size of ${counted(size, "byte")}`,
    expected: `at least ${offset + length}`,
    offset,
  });
}
