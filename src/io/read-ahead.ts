/**
 * Brings the beginning of a file into the system's page cache without holding the event loop, so that reading the
 * header afterwards, which is synchronous, does not wait for a disk.
 */
import { open } from "node:fs/promises";

const pieceBytes = 1 << 20;

/** Reads at most `bytes` and keeps nothing. A file that cannot be read is left to whoever opens it to complain. */
export async function readAhead(path: string, bytes: number): Promise<void> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return;
  try {
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (let at = 0; at < bytes; at += pieceBytes) {
      const { bytesRead } = await file.read(piece, 0, pieceBytes, at);
      if (bytesRead < pieceBytes) return;
    }
  } catch {
    return;
  } finally {
    await file.close();
  }
}
