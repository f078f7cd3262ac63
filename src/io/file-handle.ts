/**
 * What a FileHandle has methods for that yarn's Plug'n'Play, which puts handles of its own in place of Node's, throws
 * "Method not implemented" for: asked of the descriptor.
 */
import { fsync, futimes } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { promisify } from "node:util";

const fsyncOf = promisify(fsync);
const futimesOf = promisify(futimes);

/** Its bytes lie on the disk then. */
export function syncFile({ fd }: FileHandle): Promise<void> {
  return fsyncOf(fd);
}

/** When it counts as read and as written. */
export function setTimes({ fd }: FileHandle, at: Date): Promise<void> {
  return futimesOf(fd, at, at);
}
