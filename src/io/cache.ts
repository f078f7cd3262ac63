/**
 * What hearth can make again: files in $XDG_CACHE_HOME/hearth, ~/.cache/hearth, or the system's own place. A cache that
 * cannot be used is a notice, never a failure. Others cannot plant anything: the folder must be this user's own.
 */
import { chmodSync, lstatSync, mkdirSync, rmSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { type Bytes, MiB } from "../core/units.ts";
import { codeOf, readTextFile } from "./open-file.ts";
import { replaceFile } from "./replace-file.ts";

export interface Cache {
  /** Undefined where there is none, or none that can be read. */
  read(file: string): string | undefined;
  /** Replaces it. Returns why it could not be kept, as a sentence for the user, else undefined. */
  keep(file: string, text: string): Promise<string | undefined>;
  forget(file: string): void;
}

/** A plan of a large model has some hundred kilobytes. */
const maxFile: Bytes = 64 * MiB;

/** The user's cache for one kind of thing: "plans". */
export function openCache(name: string): Cache {
  try {
    const root = cacheRoot();
    const folder = join(root, "hearth", name);
    makeFolders(folder);
    claim(join(root, "hearth"));
    claim(folder);
    return cacheIn(folder);
  } catch (error) {
    const notice = noticeOf(error);
    return { read: () => undefined, keep: async () => notice, forget: () => {} };
  }
}

/** A cache in a folder that is known to be there. */
export function cacheIn(folder: string): Cache {
  return {
    read: (file) => {
      try {
        return readTextFile(join(folder, file), maxFile);
      } catch {
        return undefined;
      }
    },
    keep: async (file, text) => {
      try {
        await replaceFile(join(folder, file), (handle) => handle.writeFile(text));
        return undefined;
      } catch (error) {
        return noticeOf(error);
      }
    },
    forget: (file) => {
      try {
        rmSync(join(folder, file), { force: true });
      } catch {
        // What cannot be removed cannot have been kept.
      }
    },
  };
}

/** The JSON of a file of the cache; undefined for a damaged one, as for none. */
export function readJson(cache: Cache, file: string): unknown {
  const text = cache.read(file);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function noticeOf(error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  return `nothing is kept for the next time: ${reason}; XDG_CACHE_HOME names another place`;
}

/** The specification of XDG: a path that is not absolute does not count. */
function cacheRoot(): string {
  const chosen = process.env["XDG_CACHE_HOME"];
  if (chosen !== undefined && isAbsolute(chosen)) return chosen;
  const home = homedir();
  if (process.platform === "darwin") return join(home, "Library", "Caches");
  if (process.platform === "win32") return process.env["LOCALAPPDATA"] ?? home;
  return join(home, ".cache");
}

/** Step by step: Node's own recursive mkdir never returns for a path through a file (/dev/null/x). */
function makeFolders(folder: string): void {
  const missing: string[] = [];
  for (let path = resolve(folder); !tryMakeFolder(path); path = dirname(path)) {
    if (dirname(path) === path) throw new Error(`${path} does not exist`);
    missing.push(path);
  }
  for (const path of missing.reverse()) {
    if (!tryMakeFolder(path)) throw new Error(`${path} cannot be made`);
  }
}

/** False: the folder that it would be in is missing. */
function tryMakeFolder(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST" && statSync(path).isDirectory()) return true;
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** In a folder that many may write into, somebody else can be there first. @throws Error where the folder is not ours */
function claim(folder: string): void {
  const user = process.getuid?.();
  if (user === undefined) return;
  const owners = [lstatSync(folder).uid, statSync(folder).uid];
  if (owners.some((owner) => owner !== user)) {
    throw new Error(
      `${folder} belongs to another user (${owners.find((owner) => owner !== user)})`,
    );
  }
  if ((statSync(folder).mode & 0o022) !== 0) chmodSync(folder, 0o700);
}
