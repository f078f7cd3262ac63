/** Files that weights lie in, mapped once per backend; executables keep a mapping alive natively after close. */
import { FileFormatError } from "../../core/errors.ts";
import type { Addon, Handle } from "./addon.ts";

interface MappedFile {
  readonly handle: Handle;
  readonly bytes: number;
}

export interface MappedFiles {
  /** @throws FileFormatError when the file cannot be mapped. */
  open(path: string): MappedFile;
  close(): void;
}

export function createMappedFiles(addon: Addon): MappedFiles {
  const files = new Map<string, MappedFile>();
  return {
    open: (path) => {
      const known = files.get(path);
      if (known !== undefined) return known;
      const file = addon.openFile(path);
      if (typeof file === "string") {
        throw new FileFormatError({
          file: path,
          where: "the file",
          found: `an error (${file})`,
          expected: "a file that can be mapped into memory",
        });
      }
      files.set(path, file);
      return file;
    },
    close: () => {
      for (const { handle } of files.values()) addon.closeFile(handle);
      files.clear();
    },
  };
}
