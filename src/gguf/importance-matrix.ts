/**
 * Importance matrices: for matrices of a model the mean square of what each column is multiplied with over some text, so
 * how much the error of each column matters. Read in both forms that llama.cpp has had; written in the newer one.
 *
 *   GGUF  general.type "imatrix"; NAME.in_sum2: f32 [columns, matrices], NAME.counts: f32 [1, matrices]
 *   .dat  i32 entries, each: i32 length, name, i32 count of chunks, i32 values, f32 sums; then what nobody needs here
 *
 * Source: llama.cpp, tools/imatrix/imatrix.cpp and tools/quantize/quantize.cpp.
 */
import type { ColumnSums } from "../core/column-sums.ts";
import { FileFormatError, OptionError } from "../core/errors.ts";
import { MiB } from "../core/units.ts";
import { readWholeFile } from "../io/open-file.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import { maxTensorNameBytes } from "./limits.ts";
import { openGguf } from "./open.ts";
import type { TensorInfo } from "./tensor-info.ts";
import { metadataValue } from "./value.ts";
import { type TensorToWrite, writeGguf } from "./write.ts";

/** By the names of matrices: [matrices · columns], what each column matters, finite and above 0. */
export type ImportanceMatrix = ReadonlyMap<string, Float32Array>;

/** An older file of a model with 256 experts in 94 layers of 7168 columns has 700 MiB; nobody makes larger ones. */
const maxBytes = 1024 * MiB;
/** A model of 1000 layers with eight matrices each is far below it. */
const maxEntries = 1 << 16;

/** @throws FileAccessError, FileFormatError */
export function readImportance(path: string): ImportanceMatrix {
  const sums = isGguf(path) ? readGguf(path) : readDat(path);
  if (sums.size === 0) throw wrong(path, "entries", "none", "one for each matrix");
  return sums;
}

function isGguf(path: string): boolean {
  const [a, b, c, d] = readWholeFile(path, maxBytes);
  return String.fromCharCode(a ?? 0, b ?? 0, c ?? 0, d ?? 0) === "GGUF";
}

function readGguf(path: string): Map<string, Float32Array> {
  const file = openGguf(path);
  const type = file.metadata.optionalString("general.type");
  if (type !== "imatrix") {
    throw wrong(path, "general.type", `"${type ?? ""}"`, '"imatrix", an importance matrix');
  }
  const found = new Map<string, Float32Array>();
  for (const sums of file.tensors.values()) {
    const [, name] = /^(.*)\.in_sum2$/.exec(sums.name) ?? [];
    if (name === undefined) continue;
    const counts = file.tensors.get(`${name}.counts`);
    if (counts === undefined) throw wrong(path, sums.name, "no counts", `${name}.counts`);
    found.set(name, meansOf(path, name, floatsOf(path, sums), floatsOf(path, counts)));
  }
  return found;
}

function floatsOf(path: string, tensor: TensorInfo): Float32Array {
  if (tensor.type !== "F32") throw wrong(path, tensor.name, tensor.type, "F32");
  return new Float32Array(readTensorBytes(tensor).buffer);
}

/** Of a matrix that saw nothing, nothing is known: all columns matter alike. */
function meansOf(
  path: string,
  name: string,
  sums: Float32Array,
  counts: Float32Array,
): Float32Array {
  const columns = sums.length / counts.length;
  if (!Number.isInteger(columns)) {
    throw wrong(
      path,
      name,
      `${sums.length} sums of ${counts.length} counts`,
      "a whole number each",
    );
  }
  if (counts.some((count) => !(count >= 0 && count < Number.POSITIVE_INFINITY))) {
    throw wrong(path, `${name}.counts`, "a count that is none", "finite numbers from 0 up");
  }
  const means = sums.map((sum, i) => {
    const count = counts[Math.floor(i / columns)] ?? 0;
    return count > 0 ? sum / count : 1;
  });
  return balanced(path, name, means, columns);
}

/**
 * The least that a column matters beside the mean of its matrix: what no text has used so far must not be lost in a
 * block where others count.
 */
const leastImportance = 2 ** -10;

/** In each matrix the mean becomes 1. */
function balanced(path: string, name: string, values: Float32Array, columns: number): Float32Array {
  const bad = values.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (bad >= 0) throw wrong(path, name, `the value ${values[bad]}`, "finite numbers from 0 up");
  for (let begin = 0; begin < values.length; begin += columns) {
    const matrix = values.subarray(begin, begin + columns);
    let sum = 0;
    for (const value of matrix) sum += value;
    const mean = sum / columns;
    for (let i = 0; i < columns; i++) {
      matrix[i] = mean === 0 ? 1 : Math.max(leastImportance, (matrix[i] ?? 0) / mean);
    }
  }
  return values;
}

function readDat(path: string): Map<string, Float32Array> {
  const bytes = readWholeFile(path, maxBytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const next = (what: string, length: number): number => {
    if (length < 0 || at + length > bytes.length) {
      throw wrong(
        path,
        what,
        `the end of the file at byte ${bytes.length}`,
        "an importance matrix",
      );
    }
    at += length;
    return at - length;
  };
  const count = (what: string, most: number): number => {
    const value = view.getInt32(next(what, 4), true);
    if (value >= 1 && value <= most) return value;
    throw wrong(path, what, String(value), `1 to ${most}: an importance matrix of llama.cpp`);
  };
  const entries = count("number of entries", maxEntries);
  const found = new Map<string, Float32Array>();
  for (let i = 0; i < entries; i++) {
    const length = count(`length of name ${i}`, maxTensorNameBytes);
    const from = next(`name ${i}`, length);
    const name = Buffer.from(bytes.subarray(from, from + length)).toString("utf8");
    const chunks = view.getInt32(next(`chunks of ${name}`, 4), true);
    const valueCount = count(`values of ${name}`, bytes.length / 4);
    const values = new Float32Array(valueCount);
    const first = next(`values of ${name}`, 4 * valueCount);
    for (let j = 0; j < valueCount; j++) {
      values[j] = view.getFloat32(first + 4 * j, true) / Math.max(1, chunks);
    }
    found.set(name, balanced(path, name, values, valueCount));
  }
  return found;
}

/** What is known of a tensor's columns, one matrix after another. @throws OptionError where it is another model's. */
export function importanceOf(
  importance: ImportanceMatrix | undefined,
  { name, dimensions }: TensorInfo,
): Float32Array | undefined {
  const values = importance?.get(name);
  if (values === undefined) return undefined;
  const [columns = 0, , matrices = 1] = dimensions;
  // An older file has one list for the experts that were stacked after it was made.
  if (values.length === columns * matrices || values.length === columns) return values;
  const found = `${values.length} values for ${name}`;
  throw new OptionError("imatrix", found, `${columns * matrices}; it is of another model`);
}

/** As llama-imatrix does: llama-quantize reads it too. @throws FileAccessError */
export async function writeImportance(
  path: string,
  made: {
    readonly matrices: readonly ColumnSums[];
    readonly rows: number;
    readonly window: number;
    readonly corpora: readonly string[];
  },
): Promise<void> {
  const { matrices, rows, window, corpora } = made;
  const tensors = matrices.flatMap(({ name, sums }): TensorToWrite[] => [
    floatTensor(`${name}.in_sum2`, [sums.length, 1], Float32Array.from(sums)),
    floatTensor(`${name}.counts`, [1, 1], Float32Array.of(rows)),
  ]);
  const metadata = [
    ["general.type", metadataValue.string("imatrix")],
    ["imatrix.datasets", metadataValue.strings(corpora)],
    ["imatrix.chunk_count", metadataValue.u32(Math.ceil(rows / window))],
    ["imatrix.chunk_size", metadataValue.u32(window)],
  ] as const;
  await writeGguf({ path, metadata, tensors });
}

function floatTensor(
  name: string,
  dimensions: readonly number[],
  values: Float32Array,
): TensorToWrite {
  return { name, type: "F32", dimensions, data: () => [new Uint8Array(values.buffer)] };
}

function wrong(file: string, where: string, found: string, expected: string): FileFormatError {
  return new FileFormatError({ file, where, found, expected, offset: 0 });
}
