/** Text from a file or a pipe, byte for byte, of bounded size: tens of thousands of tokens for every token of a context. */
import { FileAccessError } from "../core/errors.ts";
import { maxTextBytes, readToEnd, readWholeFile } from "../io/open-file.ts";

/** `-` and /dev/stdin read the pipe. @throws FileAccessError unless the path is a regular file, FileFormatError for too much text. */
export function readInput(path: string): Uint8Array {
  return path === "-" || path === "/dev/stdin" ? readStdin() : readWholeFile(path);
}

/** @throws FileFormatError for more than is taken as a text */
export function readStdin(): Uint8Array {
  try {
    return readToEnd(0, "stdin", maxTextBytes);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EISDIR")) throw error;
    throw new FileAccessError("stdin", { code: "EISDIR", reason: "is a folder, not a file" });
  }
}
