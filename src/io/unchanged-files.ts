/**
 * Whether files that are mapped into memory are still those that were opened. A mapped file that is cut raises a bus
 * error, and one that is written over changes the weights: nothing can make that safe while an answer is written, so
 * size and time stamps are compared before each answer. A descriptor is kept for each file: one that was moved, deleted
 * or replaced by another of its name stays mapped as it was, and is no change.
 */
import { type BigIntStats, closeSync, fstatSync } from "node:fs";
import { FileAccessError } from "../core/errors.ts";
import { openForReading } from "./open-file.ts";

interface Watched {
  readonly path: string;
  readonly descriptor: number;
  readonly opened: BigIntStats;
}

export class UnchangedFiles implements Disposable {
  readonly #files: Watched[] = [];

  /** @throws FileAccessError for a file that cannot be opened. */
  constructor(paths: Iterable<string>) {
    try {
      for (const path of new Set(paths)) {
        const descriptor = openForReading(path);
        this.#files.push({ path, descriptor, opened: fstatSync(descriptor, { bigint: true }) });
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws FileAccessError with code ECHANGED for the first file whose size or time stamps are others. */
  check(): void {
    for (const { path, descriptor, opened } of this.#files) {
      const { size, mtimeNs } = fstatSync(descriptor, { bigint: true });
      if (size === opened.size && mtimeNs === opened.mtimeNs) continue;
      const how =
        size === opened.size
          ? "it was written over while it was in use"
          : `it had ${opened.size} bytes when it was opened and has ${size} now`;
      throw new FileAccessError(path, {
        code: "ECHANGED",
        reason: `${how}: answers would be wrong; open the model again, or with mmap off (--no-mmap), which keeps a copy`,
      });
    }
  }

  [Symbol.dispose](): void {
    for (const { descriptor } of this.#files.splice(0)) closeSync(descriptor);
  }
}
