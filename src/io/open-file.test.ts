import { spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FileAccessError, FileFormatError } from "../core/errors.ts";
import { readCsvRecords } from "./csv.ts";
import { openForReading, readTextFile, readToEnd, readWholeFile } from "./open-file.ts";
import { readAhead } from "./read-ahead.ts";

const isUnix = process.platform !== "win32";
const folder = mkdtempSync(join(tmpdir(), "hearth-open-"));
const at = (name: string): string => join(folder, name);
const server = createServer();

beforeAll(async () => {
  writeFileSync(at("text"), "\uFEFFabc");
  mkdirSync(at("models"));
  writeFileSync(at("models/small.gguf"), "");
  writeFileSync(at("models/small.sparsity.gguf"), "");
  if (!isUnix) return;
  spawnSync("mkfifo", [at("pipe")]);
  symlinkSync(at("pipe"), at("link to pipe"));
  symlinkSync(at("round"), at("round"));
  symlinkSync(at("text"), at("link"));
  await new Promise<void>((resolve) => server.listen(at("socket"), resolve));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

function refusal(path: string): FileAccessError {
  try {
    closeSync(openForReading(path));
  } catch (error) {
    if (error instanceof FileAccessError) return error;
  }
  throw new Error(`${path} was not refused with a FileAccessError`);
}

describe("a file that a user named", () => {
  it("is read whole, without its byte order mark, through a link too", () => {
    expect(readTextFile(at("text"))).toBe("abc");
    if (isUnix) expect(readTextFile(at("link"))).toBe("abc");
    expect(readWholeFile(at("text"))).toHaveLength(6);
  });

  it.skipIf(!isUnix).each([
    ["none", "ENOENT", "none: no such file"],
    ["text/none", "ENOTDIR", "none: no such file: a part of the path is no folder"],
    ["models", "EISDIR", "models: is a folder, not a file; in it is small.gguf"],
    ["pipe", "EFTYPE", "pipe: is a named pipe, not a regular file"],
    ["link to pipe", "EFTYPE", "link to pipe: is a named pipe"],
    ["socket", "EFTYPE", "socket: is a socket, not a regular file"],
    ["round", "ELOOP", "round: symbolic links that lead round in a circle"],
    ["x".repeat(300), "ENAMETOOLONG", "longer than the file system allows"],
  ])(
    "is refused by its kind: %s (not on Windows: it has none of these)",
    async (name, code, message) => {
      const error = refusal(at(name));
      expect(error.code).toBe(code);
      expect(error.file).toBe(at(name));
      expect(error.message).toContain(message);
      await readAhead(at(name), [{ begin: 0, end: 10 }]);
      expect(() => readCsvRecords(at(name))).toThrow(FileAccessError);
    },
  );

  it.skipIf(!isUnix).each(["/dev/zero", "/dev/null", "/dev/random", "/dev/tty"])(
    "is refused as a device: %s (not on Windows)",
    (path) => {
      expect(() => closeSync(openForReading(path))).toThrow(FileAccessError);
    },
  );

  it("is never larger than is said, in the file system's own count or in what comes", () => {
    expect(() => readWholeFile(at("text"), 5)).toThrow(/text: size: found .*, expected at most /);
    writeFileSync(at("sparse"), "");
    truncateSync(at("sparse"), 2 ** 40);
    expect(() => readTextFile(at("sparse"))).toThrow(FileFormatError);
    expect(() => readCsvRecords(at("sparse"))).toThrow(FileFormatError);
  });

  it.skipIf(!isUnix)("as a stream is bounded although it never ends (needs /dev/zero)", () => {
    const zero = openSync("/dev/zero", "r");
    try {
      expect(() => readToEnd(zero, "stdin", 1 << 20)).toThrow(
        /stdin: size: found more than 1.*MiB/,
      );
    } finally {
      closeSync(zero);
    }
  });

  it.skipIf(process.platform !== "linux")(
    "leaves no descriptor open when it is refused (needs /proc)",
    () => {
      const before = readdirSync("/proc/self/fd").length;
      for (const name of ["none", "models", "pipe", "socket"]) refusal(at(name));
      expect(() => readWholeFile(at("text"), 5)).toThrow(FileFormatError);
      expect(readdirSync("/proc/self/fd")).toHaveLength(before);
    },
  );
});
