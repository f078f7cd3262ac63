/**
 * W_down [dim, neurons] → W_down^T [neurons, dim], so that a neuron is a row: in plain TypeScript, strip by strip in
 * bounded memory. Which type the rows get, and why: docs/decisions/0004-transposed-down.md.
 */
import { setImmediate } from "node:timers/promises";
import { rowBytes, tensorType, type WeightType } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { Weight } from "../ops/op.ts";
import { quantCodec } from "../quant/codecs.ts";
import { openWeight } from "./weight-reader.ts";

/** Types that rows are written in: what the file has, where elements stand alone; else one without visible loss. */
export type DownRowType = "F32" | "F16" | "BF16" | "Q8_0";

/** Elements of a strip: 4 MiB of float32, transposed in some 10 ms, so the event loop keeps running. */
const stripElements = 1 << 20;

/**
 * Elements that stand alone keep their type: moved, not changed. Blocks lie along the other axis and must be made
 * again, in Q8_0, whose error is small against the error the coarser type has brought already; Q8_0 itself becomes
 * F16, which keeps it.
 */
export function downRowType(weight: Weight): DownRowType {
  switch (weight.type) {
    case "F32":
    case "F16":
    case "BF16":
      return weight.type;
    case "Q8_0":
      return "F16";
    case "Q4_0":
    case "Q4_1":
    case "Q5_0":
    case "Q5_1":
    case "Q4_K":
    case "Q5_K":
    case "Q6_K":
      return weight.rows % tensorType("Q8_0").blockElements === 0 ? "Q8_0" : "F16";
    default:
      return weight.type satisfies never;
  }
}

/**
 * Of rows that thresholds leave, most are read: there Q8_0 stays Q8_0. Twice the bytes would not be won back, and a second
 * rounding to eight bits is not seen in perplexity (decision 0007).
 */
export function thresholdRowType(weight: Weight): DownRowType {
  const isWhole = weight.rows % tensorType("Q8_0").blockElements === 0;
  return weight.type === "Q8_0" && isWhole ? "Q8_0" : downRowType(weight);
}

/** The rows in memory, as a weight of their own. @throws ShapeError when a row is no whole number of blocks. */
export async function transposeDown(weight: Weight, type: WeightType): Promise<Weight> {
  const bytesPerRow = rowBytes(type, weight.rows);
  const data = new Uint8Array(weight.columns * bytesPerRow);
  let done = 0;
  for await (const piece of transposedPieces(weight, type)) {
    data.set(piece, done);
    done += piece.length;
  }
  return {
    name: `${weight.name} transposed`,
    type,
    rows: weight.columns,
    columns: weight.rows,
    bytes: { kind: "memory", data },
  };
}

/** The rows of W^T in order, some at a time; a piece is valid until the next is asked for. */
export async function* transposedPieces(
  weight: Weight,
  type: WeightType,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { rows: dim, columns: neurons } = weight;
  const to = quantCodec(type);
  if (dim % to.blockElements !== 0) {
    throw new ShapeError(weight.name, `rows a multiple of ${to.blockElements}`, String(dim));
  }
  const { blockElements } = quantCodec(weight.type);
  const blocks = Math.max(1, Math.floor(stripElements / dim / blockElements));
  const width = Math.min(neurons, blocks * blockElements);
  const strip = new Float32Array(dim * width);
  const values = new Float32Array(dim * width);
  const piece = new Uint8Array(width * rowBytes(type, dim));
  const source = openWeight(weight);
  try {
    for (let first = 0; first < neurons; first += width) {
      const count = Math.min(width, neurons - first);
      source.read({ first, count }, strip);
      transposeInto(values, strip, { rows: dim, columns: count });
      to.quantise(values, 0, piece, 0, (count * dim) / to.blockElements);
      yield piece.subarray(0, count * rowBytes(type, dim));
      await setImmediate();
    }
  } finally {
    source.close();
  }
}

/** [rows, columns] → [columns, rows] */
function transposeInto(
  target: Float32Array,
  source: Float32Array,
  shape: { readonly rows: number; readonly columns: number },
): void {
  const { rows, columns } = shape;
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) target[c * rows + r] = source[r * columns + c] ?? 0;
  }
}
