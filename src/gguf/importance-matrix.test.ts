import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileFormatError } from "../core/errors.ts";
import { importanceOf, readImportance, writeImportance } from "./importance-matrix.ts";
import { type MetadataValue, metadataValue } from "./value.ts";
import { writeGguf } from "./write.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-importance-"));
afterAll(() => rmSync(folder, { recursive: true }));

const name = "blk.0.ffn_up.weight";

/** llama.cpp's older form: one entry, of so many chunks. */
function dat(values: readonly number[], chunks = 2, entries = 1): Buffer {
  const bytes = Buffer.alloc(16 + name.length + 4 * values.length);
  bytes.writeInt32LE(entries, 0);
  bytes.writeInt32LE(name.length, 4);
  bytes.write(name, 8);
  bytes.writeInt32LE(chunks, 8 + name.length);
  bytes.writeInt32LE(values.length, 12 + name.length);
  values.forEach((value, i) => {
    bytes.writeFloatLE(value, 16 + name.length + 4 * i);
  });
  return bytes;
}

function readDat(bytes: Uint8Array): ReturnType<typeof readImportance> {
  const path = join(folder, "some.dat");
  writeFileSync(path, bytes);
  return readImportance(path);
}

async function readTensors(
  sums: readonly number[],
  counts: readonly number[],
  { type = "imatrix", countsName = `${name}.counts` } = {},
): Promise<ReturnType<typeof readImportance>> {
  const path = join(folder, "some.gguf");
  const tensors = [
    { name: `${name}.in_sum2`, values: sums },
    { name: countsName, values: counts },
  ].map((tensor) => ({
    name: tensor.name,
    type: "F32",
    dimensions: [tensor.values.length],
    data: () => [new Uint8Array(Float32Array.from(tensor.values).buffer)],
  }));
  const metadata: [string, MetadataValue][] = [["general.type", metadataValue.string(type)]];
  await writeGguf({ path, metadata, tensors });
  return readImportance(path);
}

describe("an importance matrix", () => {
  it("is the same in both forms: a mean of 1, and nothing far below it", async () => {
    const older = readDat(dat([0, 2, 4, 10]));
    const newer = await readTensors([0, 10, 20, 50], [10]);
    expect([...(older.get(name) ?? [])]).toEqual([2 ** -10, 0.5, 1, 2.5]);
    expect(newer).toEqual(older);
  });

  it("has a mean for each expert, and knows nothing of one that no token chose", async () => {
    const matrix = await readTensors([3, 9, 0, 0], [3, 0]);
    expect([...(matrix.get(name) ?? [])]).toEqual([0.5, 1.5, 1, 1]);
  });

  it("is read as it was written", async () => {
    const path = join(folder, "made.gguf");
    const sums = Float64Array.of(1, 2, 3, 2);
    const made = { matrices: [{ name, sums }], rows: 7, window: 512, corpora: ["a.txt"] };
    await writeImportance(path, made);
    expect([...(readImportance(path).get(name) ?? [])]).toEqual([0.5, 1, 1.5, 1]);
  });

  it("belongs to matrices of its length, and to each of stacked ones", () => {
    const matrix = readDat(dat([1, 1, 2, 4]));
    const tensor = { name, type: "F32", path: "", offset: 0, bytes: 0 };
    expect(importanceOf(matrix, { ...tensor, dimensions: [4, 9] })).toHaveLength(4);
    expect(importanceOf(matrix, { ...tensor, dimensions: [2, 9, 2] })).toHaveLength(4);
    expect(importanceOf(matrix, { ...tensor, dimensions: [4, 9, 3] })).toHaveLength(4);
    expect(importanceOf(matrix, { ...tensor, name: "other", dimensions: [4, 9] })).toBe(undefined);
    expect(() => importanceOf(matrix, { ...tensor, dimensions: [8, 9] })).toThrow(/another model/);
  });

  it("is refused wherever it was cut off", () => {
    const whole = dat([1, 2, 3, 4]);
    for (let length = 0; length < whole.length; length++) {
      expect(() => readDat(whole.subarray(0, length)), String(length)).toThrow(FileFormatError);
    }
  });

  it.each<[string, () => unknown, RegExp]>([
    ["a value that is none", () => readDat(dat([1, Number.NaN])), /the value NaN/],
    ["a negative value", () => readDat(dat([1, -2], 1)), /the value -2/],
    ["an endless value", () => readDat(dat([1, Number.POSITIVE_INFINITY])), /Infinity/],
    ["no entries", () => readDat(dat([1], 1, 0)), /number of entries.*found 0/],
    ["too many entries", () => readDat(dat([1], 1, 1e9)), /number of entries.*1000000000/],
    ["text", () => readDat(Buffer.from("a text that is no importance matrix")), /entries/],
  ])("is refused with %s", (_, read, message) => {
    expect(read).toThrow(message);
  });

  it("is refused as a GGUF that is another thing", async () => {
    await expect(readTensors([1], [1], { type: "model" })).rejects.toThrow(/found "model"/);
    await expect(readTensors([1, 2], [1], { countsName: "x" })).rejects.toThrow(/no counts/);
    await expect(readTensors([1, 2, 3], [1, 1])).rejects.toThrow(/a whole number each/);
    await expect(readTensors([1, 2], [-1])).rejects.toThrow(/from 0 up/);
    await expect(readTensors([1, Number.NaN], [1])).rejects.toThrow(/NaN/);
  });

  it("has the keys that llama.cpp reads", async () => {
    const path = join(folder, "keys.gguf");
    const sums = Float64Array.of(1, 2);
    await writeImportance(path, {
      matrices: [{ name, sums }],
      rows: 600,
      window: 512,
      corpora: [],
    });
    const header = readFileSync(path).toString("latin1");
    for (const key of ["imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"]) {
      expect(header).toContain(key);
    }
  });
});
