/**
 * Writes a file so that nobody ever sees half of it, whatever happens: into a partial file beside it, onto the disk, and
 * then under its name. What an earlier process has left behind, killed in the middle, is removed.
 */
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readlinkSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { FileAccessError } from "../core/errors.ts";
import { syncFile } from "./file-handle.ts";
import { fileAccessError, kindOf } from "./open-file.ts";
import { ownedPath, removeLeftovers } from "./ownership.ts";
import { removeWhenKilled } from "./remove-when-killed.ts";

/**
 * The old file stays whole until the new one is, and keeps its permissions. Without `waitsForDisk` (default true) that
 * holds for whatever happens to this process, but not for a power cut in the seconds after.
 * @throws FileAccessError, and what `write` throws
 */
export async function replaceFile(
  path: string,
  write: (handle: FileHandle) => Promise<void>,
  { waitsForDisk = true }: { readonly waitsForDisk?: boolean } = {},
): Promise<void> {
  const target = behindLinks(path);
  const old = replaceable(path, target);
  removeLeftovers(target);
  const partial = ownedPath(target, "partial");
  const stopWatching = removeWhenKilled(partial);
  try {
    await writePartial(partial, old, async (handle) => {
      await write(handle);
      if (waitsForDisk) await syncFile(handle);
    });
    await rename(partial, target);
    if (waitsForDisk) await syncFolder(dirname(target));
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    throw isSystemError(error) ? writeError(path, error) : error;
  } finally {
    stopWatching();
  }
}

async function writePartial(
  partial: string,
  old: Stats | undefined,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(partial, "wx");
  try {
    if (old !== undefined) await handle.chmod(old.mode & 0o777);
    await write(handle);
  } finally {
    await handle.close();
  }
}

/** So that the name, too, outlives a power cut. Some systems cannot; then the file system's own order has to do. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  try {
    if (handle !== undefined) await syncFile(handle);
  } catch {
    return;
  } finally {
    await handle?.close();
  }
}

/**
 * Whether the file could be written: found before work that takes hours. Nothing is left, an old file stays as it is.
 * @throws FileAccessError
 */
export function checkReplaceable(path: string): void {
  const target = behindLinks(path);
  replaceable(path, target);
  removeLeftovers(target);
  const partial = ownedPath(target, "partial");
  try {
    // Permissions tell too little: of a full disk, a read-only file system, or to root.
    writeFileSync(partial, "", { flag: "wx" });
    rmSync(partial);
  } catch (error) {
    throw writeError(path, error);
  }
}

/** What is there, if anything: a regular file that may be written. */
function replaceable(path: string, target: string): Stats | undefined {
  let old: Stats | undefined;
  try {
    old = statSync(target, { throwIfNoEntry: false });
    if (old?.isFile()) accessSync(target, constants.W_OK);
  } catch (error) {
    throw writeError(path, error);
  }
  if (old === undefined || old.isFile()) return old;
  const code = old.isDirectory() ? "EISDIR" : "EFTYPE";
  throw new FileAccessError(path, {
    code,
    reason: `is ${kindOf(old)}, not a file that can be replaced`,
  });
}

/** As many as Linux follows. */
const maxLinks = 40;

/** A link stays a link; the file it leads to is replaced, or made. */
function behindLinks(path: string): string {
  let target = path;
  for (let i = 0; i < maxLinks; i++) {
    const found = lstatOf(target);
    if (!found?.isSymbolicLink()) return target;
    target = resolve(dirname(target), readlinkSync(target));
  }
  throw fileAccessError(path, Object.assign(new Error("a loop"), { code: "ELOOP" }));
}

function lstatOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function writeError(path: string, error: unknown): FileAccessError {
  const { code, reason } = fileAccessError(path, error);
  const folder = dirname(path);
  const isMissing = (code === "ENOENT" || code === "ENOTDIR") && !existsSync(folder);
  const why = code === "ENOENT" ? `the folder ${folder} takes no files` : reason;
  return new FileAccessError(path, {
    code,
    reason: `cannot be written: ${isMissing ? `the folder ${folder} does not exist` : why}`,
    cause: error,
  });
}
