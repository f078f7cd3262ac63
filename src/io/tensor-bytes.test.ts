import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileAccessError, FileFormatError } from "../core/errors.ts";
import { withFile } from "./byte-source.ts";
import { memorySource } from "./memory-source.ts";
import { readPieces, readTensorBytes } from "./tensor-bytes.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-io-"));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, "bytes");
const bytes = Uint8Array.from({ length: 100 }, (_, index) => index);
writeFileSync(path, bytes);

/** Descriptors of this process, where the system lists them. */
const descriptorFolder = "/proc/self/fd";
function countDescriptors(): number {
  return readdirSync(descriptorFolder).length;
}

describe("tensor bytes", () => {
  it("come whole, from their offset", () => {
    expect(readTensorBytes({ path, offset: 10, bytes: 30 })).toEqual(bytes.slice(10, 40));
  });

  it("come in pieces whose sum is the whole, the last one shorter", () => {
    const pieces: number[][] = [];
    for (const piece of readPieces({ path, offset: 5, bytes: 50 }, 20)) pieces.push([...piece]);
    expect(pieces.map((piece) => piece.length)).toEqual([20, 20, 10]);
    expect(pieces.flat()).toEqual([...bytes.slice(5, 55)]);
  });

  it("past the end of the file are an error that names the file and the byte", () => {
    const read = (): Uint8Array => readTensorBytes({ path, offset: 90, bytes: 20 });
    expect(read).toThrow(FileFormatError);
    expect(read).toThrow(/bytes: file at byte 100: found its end, 10 bytes early/);
  });

  it("of a missing file or a folder are an error that names it", () => {
    for (const wrong of [join(folder, "none"), folder]) {
      expect(() => readTensorBytes({ path: wrong, offset: 0, bytes: 1 })).toThrow(FileAccessError);
    }
  });

  it.skipIf(process.platform !== "linux")(
    "leave no descriptor open, not even when a loop is left or fails (needs /proc)",
    () => {
      const before = countDescriptors();
      for (const _ of readPieces({ path, offset: 0, bytes: 100 }, 10)) break;
      expect(() => [...readPieces({ path, offset: 90, bytes: 20 }, 15)]).toThrow(FileFormatError);
      expect(() => readTensorBytes({ path, offset: 99, bytes: 2 })).toThrow(FileFormatError);
      expect(() => readTensorBytes({ path: folder, offset: 0, bytes: 2 })).toThrow(FileAccessError);
      expect(() => withFile(path, (source) => source.read(99, 2))).toThrow(FileFormatError);
      expect(countDescriptors()).toBe(before);
    },
  );

  it("from memory are bounded like those of a file", () => {
    const source = memorySource("memory", bytes);
    expect(source.read(98, 2)).toEqual(Uint8Array.of(98, 99));
    for (const [offset, length] of [
      [99, 2],
      [-1, 2],
      [0, -1],
      [Number.NaN, 1],
    ] as const) {
      expect(() => source.read(offset, length)).toThrow(FileFormatError);
    }
  });
});
