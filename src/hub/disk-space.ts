/** Whether the disk can take what is to come: said before hours of fetching end at a full one. */
import { existsSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { FileAccessError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import { blobPath, makeFolders } from "./cache-layout.ts";
import type { HubFile } from "./hub-file.ts";
import { partialPath } from "./partial-file.ts";

/** Bytes of the files' contents that the cache does not have yet. */
export function missingBytesOf(cacheFolder: string, files: readonly HubFile[]): Bytes {
  return files.reduce((sum, file) => {
    const blob = blobPath(cacheFolder, file);
    return existsSync(blob) ? sum : sum + Math.max(0, file.size - heldBy(partialPath(blob)));
  }, 0);
}

/** What a partial file takes of the disk: it has holes. 0 where there is none, or where the system does not say it. */
function heldBy(path: string): Bytes {
  const { blocks = 0 } = statSync(path, { throwIfNoEntry: false }) ?? {};
  return 512 * blocks;
}

/** @throws FileAccessError */
export async function checkSpace(cacheFolder: string, files: readonly HubFile[]): Promise<void> {
  const [first] = files;
  if (first === undefined) return;
  makeFolders(cacheFolder, first);
  const needed = missingBytesOf(cacheFolder, files);
  const { bavail, bsize } = await statfs(cacheFolder);
  const free = bavail * bsize;
  if (needed <= free) return;
  const reason = `has ${formatBytes(free)} of free space, and ${formatBytes(needed)} are to come; make room, or name another place with HF_HOME`;
  throw new FileAccessError(cacheFolder, { code: "ENOSPC", reason });
}
