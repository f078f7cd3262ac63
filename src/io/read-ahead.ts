/**
 * Brings parts of a file into the system's page cache without holding the event loop, so that reading them afterwards,
 * which is synchronous, does not wait for a disk.
 */
import { close, read } from "node:fs";
import { promisify } from "node:util";
import { openForReading } from "./open-file.ts";

const readAt = promisify(read);
const closeFile = promisify(close);

const pieceBytes = 1 << 20;

/** The bytes [begin, end) of a file. */
interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** Reads the ranges, in their order, and keeps nothing. A file that cannot be read is no error here: opening it reports that. */
export async function readAhead(path: string, ranges: readonly ByteRange[]): Promise<void> {
  let file: number;
  try {
    file = openForReading(path);
  } catch {
    return;
  }
  try {
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (const { begin, end } of ranges) {
      for (let at = begin; at < end; at += pieceBytes) {
        const wanted = Math.min(pieceBytes, end - at);
        const { bytesRead } = await readAt(file, piece, 0, wanted, at);
        if (bytesRead < wanted) break;
      }
    }
  } catch {
    return;
  } finally {
    await closeFile(file);
  }
}
