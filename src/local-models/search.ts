/**
 * Looks through folders that anybody may have written to: links may lead round, there may be any number of files, and
 * some may not be read. A search ends after so many entries and so deep, says so, and never throws.
 */
import { opendirSync, statSync } from "node:fs";
import { join } from "node:path";
import { counted } from "../core/counted.ts";
import { codeOf, fileAccessError } from "../io/open-file.ts";

/** LM Studio nests publisher/model/file, Hugging Face repository/snapshots/commit/folder/file. */
const maxDepth = 8;
/** Entries looked at in one search: a disk gives some 100,000 a second, and no collection of models has so many files. */
const maxEntries = 50_000;

/** One search, whose limits hold for all folders that it looks through. */
export class FolderSearch {
  readonly notices: string[] = [];
  readonly #visited = new Set<string>();
  readonly #entries: number;
  #entriesLeft: number;
  #isEnded = false;

  constructor(entries: number = maxEntries) {
    this.#entries = entries;
    this.#entriesLeft = entries;
  }

  /** Paths of all files below `folder` whose names fit, in the order of their names. None where there is no folder. */
  files(folder: string, fits: (name: string) => boolean): readonly string[] {
    return this.#below(folder, fits, 0);
  }

  /** Names in one folder, sorted; links are not followed. None where there is no folder. */
  names(folder: string): readonly string[] {
    const names: string[] = [];
    try {
      // Not a whole reading: a folder may hold more names than memory.
      const entries = opendirSync(folder);
      try {
        for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
          if (this.#entriesLeft === 0) {
            this.#endedAt(folder);
            break;
          }
          this.#entriesLeft--;
          names.push(entry.name);
        }
      } finally {
        entries.closeSync();
      }
    } catch (error) {
      this.#failed(folder, error);
    }
    return names.sort();
  }

  #below(folder: string, fits: (name: string) => boolean, depth: number): readonly string[] {
    if (!this.#isNew(folder)) return [];
    return this.names(folder).flatMap((name) => {
      const path = join(folder, name);
      if (fits(name) && !isFolder(path)) return [path];
      if (depth >= maxDepth || !isFolder(path)) return [];
      return this.#below(path, fits, depth + 1);
    });
  }

  /** A folder that several links lead to is looked through once. */
  #isNew(folder: string): boolean {
    try {
      const { dev, ino } = statSync(folder, { bigint: true });
      const key = `${dev}:${ino}`;
      if (this.#visited.has(key)) return false;
      this.#visited.add(key);
      return true;
    } catch (error) {
      this.#failed(folder, error);
      return false;
    }
  }

  #failed(folder: string, error: unknown): void {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return;
    const { reason } = fileAccessError(folder, error);
    this.notices.push(`${folder} was not looked through: ${reason}`);
  }

  /** Said once: the folders behind are not looked at either. */
  #endedAt(folder: string): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.notices.push(
      `the search was ended in ${folder} after ${counted(this.#entries, "file")}: what is behind is not listed`,
    );
  }
}

/** Links are followed; what cannot be looked at is none. */
function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/**
 * A GGUF that is a model, or begins one: neither a later part of a split model, nor the vision part of another
 * (mmproj), nor a sidecar of hearth.
 */
export function isModelFile(name: string): boolean {
  if (!/\.gguf$/i.test(name) || /mmproj/i.test(name) || /\.sparsity\.gguf$/i.test(name)) {
    return false;
  }
  const part = /-(\d{5})-of-\d{5}\.gguf$/i.exec(name);
  return part === null || part[1] === "00001";
}

/** A file's name without ".gguf" and without the number of its part. */
export function stemOf(name: string): string {
  return name.replace(/(-00001-of-\d{5})?\.gguf$/i, "");
}
