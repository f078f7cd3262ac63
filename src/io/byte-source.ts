/**
 * Random access to bytes that are somewhere else: a file or memory. Readers of untrusted files stand on it,
 * so that a fuzzer can feed them without a disk. A read is whole or an error, never short.
 */

import { closeSync, fstatSync, read as readCallback, readSync } from "node:fs";
import { promisify } from "node:util";
import { counted } from "../core/counted.ts";
import { FileFormatError } from "../core/errors.ts";
import { checkRange } from "./memory-source.ts";
import { openForReading } from "./open-file.ts";

export interface ByteSource {
  /** What errors call this source: a path. */
  readonly name: string;
  readonly size: number;
  /** The bytes [offset, offset + length), valid until the source is closed. @throws FileFormatError past the end. */
  read(offset: number, length: number): Uint8Array;
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

interface FileRange {
  readonly path: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Fills `bytes` from `offset` of the file; a file that ends before is an error. */
export function readFully(descriptor: number, { path, offset, bytes }: FileRange): void {
  let done = 0;
  while (done < bytes.length) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, offset + done);
    if (count === 0)
      throw endedEarly(path, { missing: bytes.length - done, offset: offset + done });
    done += count;
  }
}

const read = promisify(readCallback);

/** As readFully, by a thread of Node's pool. `bytes` are written to until the promise is settled. */
export async function readFullyLater(
  descriptor: number,
  { path, offset, bytes }: FileRange,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const request = [descriptor, bytes, done, bytes.length - done, offset + done] as const;
    const { bytesRead } = await read(...request);
    if (bytesRead === 0) {
      throw endedEarly(path, { missing: bytes.length - done, offset: offset + done });
    }
    done += bytesRead;
  }
}

function endedEarly(
  file: string,
  { missing, offset }: { readonly missing: number; readonly offset: number },
): FileFormatError {
  return new FileFormatError({
    file,
    where: "file",
    found: `its end, ${counted(missing, "byte")} early`,
    expected: "the size it had when it was opened",
    offset,
  });
}
