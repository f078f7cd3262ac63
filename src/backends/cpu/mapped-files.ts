/**
 * Files that weights lie in, each mapped (or read) once per backend; executables keep its memory alive natively after
 * close.
 */
import { setTimeout } from "node:timers/promises";
import { FileFormatError } from "../../core/errors.ts";
import type { Bytes } from "../../core/units.ts";
import type { Addon, Handle } from "../addon.ts";
import type { HugePageUse } from "../machine-rules.ts";
import type { FileStretch } from "./weight-table.ts";

interface MappedFile {
  readonly handle: Handle;
  readonly bytes: number;
}

/** What `mmap`, `mlock` and `hugePages` of an engine's options ask for. */
export function fileUse(options: FileOptions): FileUse {
  const { mmap = true, mlock = false, hugePages = "background" } = options;
  return { access: mmap ? "map" : "read", isLocked: mlock, hugePages };
}

export interface FileOptions {
  readonly mmap?: boolean | undefined;
  readonly mlock?: boolean | undefined;
  readonly hugePages?: HugePageUse | undefined;
}

/** Weights of fewer bytes are within the reach of small pages: 1536 to 3072 of 4 KiB are what a core remembers. */
const leastMoved: Bytes = 64 * 1024 * 1024;

/** A copy is made where so many times its bytes are available: two thirds of them stay so. */
const ample = 3;

const pollMilliseconds = 5;

/** How files come into memory. */
export interface FileUse {
  /** "map": the system's cache holds them, and a change of the file on disk reaches us. "read": a copy of our own. */
  readonly access: "map" | "read";
  /** Whether their pages must stay in physical memory. */
  readonly isLocked: boolean;
  readonly hugePages: HugePageUse;
}

type FileAddon = Pick<Addon, "openFile" | "closeFile" | "moveToHugePages" | "bytesToMove">;

export interface MappedFiles {
  readonly access: FileUse["access"];
  /** What could not be done as asked, one sentence each; grows as files are opened. */
  readonly notices: readonly string[];
  /** @throws FileFormatError when the file cannot be mapped. */
  open(path: string): MappedFile;
  /**
   * Has weights moved into huge pages, if so wanted and `available` is ample. Returns how many bytes will be copied; "before":
   * have been.
   */
  moveToHugePages(
    stretches: readonly FileStretch[],
    available: Bytes,
    signal: AbortSignal | undefined,
  ): Promise<Bytes>;
  close(): void;
}

export function createMappedFiles(addon: FileAddon, use: FileUse): MappedFiles {
  const { access, isLocked, hugePages } = use;
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
    moveToHugePages: async (stretches, available, signal) => {
      const wanted = stretches.reduce((sum, { bytes }) => sum + bytes, 0);
      const isFit = access === "map" && !isLocked && hugePages !== "never";
      if (!isFit || wanted < leastMoved || available < ample * wanted) return 0;
      let moved: Bytes = 0;
      for (const [path, { handle }] of files) {
        const ends = stretches
          .filter((stretch) => stretch.path === path)
          .flatMap(({ offset, bytes }) => [offset, offset + bytes]);
        moved += addon.moveToHugePages(
          handle,
          Float64Array.from(ends),
          hugePages === "before" ? 1 : 0,
        );
      }
      while (hugePages === "before" && bytesToMove(addon, files) > 0) {
        await setTimeout(pollMilliseconds, undefined, signal === undefined ? {} : { signal });
      }
      return moved;
    },
    close: () => {
      for (const { handle } of files.values()) addon.closeFile(handle);
      files.clear();
    },
  };
}

function bytesToMove(addon: FileAddon, files: ReadonlyMap<string, MappedFile>): Bytes {
  let bytes: Bytes = 0;
  for (const { handle } of files.values()) bytes += addon.bytesToMove(handle);
  return bytes;
}

function notLocked(path: string, why: string): string {
  return `mlock: ${path} is not locked in memory (${why}); raise the limit (ulimit -l unlimited) or leave mlock out`;
}
