/**
 * Every opening of a file that a user named: a regular file or an error, never a wait. A named pipe, a device or a
 * socket would hang or never end; it is refused by its kind, without being read, whatever takes its place meanwhile.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { FileAccessError, FileFormatError } from "../core/errors.ts";
import { type Bytes, formatBytes, MiB } from "../core/units.ts";

/** A descriptor of a regular file. The caller closes it. @throws FileAccessError saying why it cannot be read. */
export function openForReading(path: string): number {
  let descriptor: number;
  try {
    // Some devices act when they are opened.
    checkKind(path, statSync(path));
    // A pipe that took the file's place since then would wait for its writer.
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw error instanceof FileAccessError ? error : fileAccessError(path, error);
  }
  try {
    checkKind(path, fstatSync(descriptor));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The largest text that is read whole: V8's longest string is 512 MiB. */
export const maxTextBytes: Bytes = 256 * MiB;

/** A whole file of at most `maxBytes`. @throws FileAccessError, FileFormatError for a larger one. */
export function readWholeFile(path: string, maxBytes: Bytes = maxTextBytes): Uint8Array {
  const descriptor = openForReading(path);
  try {
    const { size } = fstatSync(descriptor);
    if (size > maxBytes) throw tooLarge(path, formatBytes(size), maxBytes);
    return readToEnd(descriptor, path, maxBytes);
  } finally {
    closeSync(descriptor);
  }
}

/** A whole file as UTF-8 text without its byte order mark. @throws as readWholeFile */
export function readTextFile(path: string, maxBytes: Bytes = maxTextBytes): string {
  return Buffer.from(readWholeFile(path, maxBytes))
    .toString("utf8")
    .replace(/^\uFEFF/, "");
}

const pieceBytes = 1 << 16;
/** Between two looks at a pipe that has nothing yet and must not be waited for. */
const pauseMilliseconds = 5;

/** What is left of a stream, of at most `maxBytes`: a device may never end. @throws FileFormatError for more. */
export function readToEnd(descriptor: number, name: string, maxBytes: Bytes): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let total = 0; ; ) {
    const piece = Buffer.allocUnsafe(pieceBytes);
    const count = readSome(descriptor, piece);
    if (count === 0) return Buffer.concat(pieces, total);
    total += count;
    if (total > maxBytes) throw tooLarge(name, `more than ${formatBytes(maxBytes)}`, maxBytes);
    pieces.push(count === piece.length ? piece : Buffer.from(piece.subarray(0, count)));
  }
}

function readSome(descriptor: number, piece: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, piece);
    } catch (error) {
      const code = codeOf(error);
      // Windows says so of a pipe that its writer has closed.
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMilliseconds);
    }
  }
}

function tooLarge(file: string, found: string, maxBytes: Bytes): FileFormatError {
  const expected = `at most ${formatBytes(maxBytes)}`;
  return new FileFormatError({ file, where: "size", found, expected });
}

/** Node's own message names the system call and the path again. */
export function fileAccessError(path: string, error: unknown): FileAccessError {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const reason = (code !== undefined && reasons.get(code)) || message;
  return new FileAccessError(path, { code: code ?? "UNKNOWN", reason, cause: error });
}

const reasons: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "no such file"],
  ["ENOTDIR", "no such file: a part of the path is no folder"],
  ["EACCES", "no permission"],
  ["EPERM", "no permission"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "no space is left on the device"],
  ["EDQUOT", "the disk quota is used up"],
  ["ELOOP", "symbolic links that lead round in a circle"],
  ["ENAMETOOLONG", "the name is longer than the file system allows"],
  ["EMFILE", "too many files are open; raise ulimit -n"],
  ["ENXIO", "a socket or a device that is not there, not a regular file"],
]);

function checkKind(path: string, found: Stats): void {
  if (found.isFile()) return;
  if (found.isDirectory()) {
    const reason = `is a folder, not a file${modelsIn(path)}`;
    throw new FileAccessError(path, { code: "EISDIR", reason });
  }
  const reason = `is ${kindOf(found)}, not a regular file; write what it holds into one`;
  throw new FileAccessError(path, { code: "EFTYPE", reason });
}

export function kindOf(found: Stats): string {
  if (found.isDirectory()) return "a folder";
  if (found.isFIFO()) return "a named pipe";
  if (found.isSocket()) return "a socket";
  return found.isFile() ? "a regular file" : "a device";
}

/** Who names a model's folder means a model in it. */
function modelsIn(folder: string): string {
  let names: readonly string[];
  try {
    names = readdirSync(folder).filter((name) => /(?<!\.sparsity)\.gguf$/i.test(name));
  } catch {
    return "";
  }
  const [first, second] = names;
  if (first === undefined) return "";
  return second === undefined
    ? `; in it is ${first}`
    : `; in it are ${first}, ${second}${names.length > 2 ? ", …" : ""}`;
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
