/**
 * Makes a file whole or not at all, quickly: under its name only when it is written, but not forced onto the disk. For
 * caches, whose readers can tell what a power cut tore; what must not be lost is for replace-file.ts.
 */
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { setTimes } from "./file-handle.ts";
import { ownedPath } from "./ownership.ts";

export interface MadeFile {
  /** What the partial file is called after, in the same folder: `removeLeftovers` finds those of killed processes by it. */
  readonly partialTarget: string;
  /** When it counts as used. */
  readonly at: Date;
}

/** For its user alone. Rejects with the system's error; then nothing is left. */
export async function makeFile(
  path: string,
  pieces: Iterable<Uint8Array>,
  { partialTarget, at }: MadeFile,
): Promise<void> {
  const partial = ownedPath(partialTarget, "partial");
  try {
    const handle = await open(partial, "wx", 0o600);
    try {
      for (const piece of pieces) await writeAll(handle, piece);
      await setTimes(handle, at);
    } finally {
      await handle.close();
    }
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw error;
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done);
    done += bytesWritten;
  }
}
