/**
 * Brings parts of a file into the system's page cache without holding the event loop, so that reading them afterwards,
 * which is synchronous, does not wait for a disk.
 */
import { open } from "node:fs/promises";

const pieceBytes = 1 << 20;

/** The bytes [begin, end) of a file. */
interface ByteRange {
  readonly begin: number;
  readonly end: number;
}

/** Reads the ranges, in their order, and keeps nothing. A file that cannot be read is left to whoever opens it to complain. */
export async function readAhead(path: string, ranges: readonly ByteRange[]): Promise<void> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return;
  try {
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (const { begin, end } of ranges) {
      for (let at = begin; at < end; at += pieceBytes) {
        const wanted = Math.min(pieceBytes, end - at);
        const { bytesRead } = await file.read(piece, 0, wanted, at);
        if (bytesRead < wanted) break;
      }
    }
  } catch {
    return;
  } finally {
    await file.close();
  }
}
