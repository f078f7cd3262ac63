/**
 * Files that weights lie in, each mapped (or read) once per backend; executables keep its memory alive natively after
 * close.
 */
import { FileFormatError } from "../../core/errors.ts";
import type { Addon, Handle } from "../addon.ts";

interface MappedFile {
  readonly handle: Handle;
  readonly bytes: number;
}

/** What `mmap` and `mlock` of an engine's options ask for. */
export function fileUse({ mmap = true, mlock = false }: FileOptions): FileUse {
  return { access: mmap ? "map" : "read", isLocked: mlock };
}

export interface FileOptions {
  readonly mmap?: boolean | undefined;
  readonly mlock?: boolean | undefined;
}

/** How files come into memory. */
export interface FileUse {
  /** "map": the system's cache holds them, and a change of the file on disk reaches us. "read": a copy of our own. */
  readonly access: "map" | "read";
  /** Whether their pages must stay in physical memory. */
  readonly isLocked: boolean;
}

export interface MappedFiles {
  readonly access: FileUse["access"];
  /** What could not be done as asked, one sentence each; grows as files are opened. */
  readonly notices: readonly string[];
  /** @throws FileFormatError when the file cannot be mapped. */
  open(path: string): MappedFile;
  close(): void;
}

export function createMappedFiles(addon: Addon, { access, isLocked }: FileUse): MappedFiles {
  const files = new Map<string, MappedFile>();
  const notices: string[] = [];
  return {
    access,
    notices,
    open: (path) => {
      const known = files.get(path);
      if (known !== undefined) return known;
      const file = addon.openFile(path, access === "map" ? 1 : 0, isLocked ? 1 : 0);
      if (typeof file === "string") {
        throw new FileFormatError({
          file: path,
          where: "the file",
          found: `an error (${file})`,
          expected:
            access === "map"
              ? "a file that can be mapped into memory"
              : "a file that can be read into memory",
        });
      }
      if (file.lockError !== undefined) notices.push(notLocked(path, file.lockError));
      files.set(path, file);
      return file;
    },
    close: () => {
      for (const { handle } of files.values()) addon.closeFile(handle);
      files.clear();
    },
  };
}

function notLocked(path: string, why: string): string {
  return `mlock: ${path} is not locked in memory (${why}); raise the limit (ulimit -l unlimited) or leave mlock out`;
}
