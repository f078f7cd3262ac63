/** Blocks of one weight type into blocks of another: what writing a model again in another type is made of. */
import { setImmediate } from "node:timers/promises";
import type { WeightType } from "../core/dtype.ts";
import { quantCodec } from "./codecs.ts";

export interface BlocksToConvert {
  readonly from: WeightType;
  readonly to: WeightType;
  readonly source: Uint8Array;
  readonly target: Uint8Array;
  /** Whole blocks of both types. */
  readonly elements: number;
  /** Where it is known how much the error of each column matters. */
  readonly importance?: ColumnImportance | undefined;
}

export interface ColumnImportance {
  /** [columns], finite and above 0. Blocks lie within rows of so many columns. */
  readonly columns: Float32Array;
  /** The column of the first element. */
  readonly first: number;
}

/** Resolves with the first value that the target cannot hold, the target being of no use then; without one undefined. */
export type ConvertBlocks = (blocks: BlocksToConvert) => Promise<number | undefined>;

/** Larger values would round to an infinite binary16. */
const largestHalf = 65520;

/** Magnitudes that reach it are refused: a NaN or an infinity would spoil its whole block. */
export function limitOf(type: WeightType): number {
  return type === "F16" ? largestHalf : Number.POSITIVE_INFINITY;
}

/** Blocks are 1 to 256 elements. 64 Ki of the slowest (Q6_K, 110 ns each) hold the event loop for 7 ms. */
const stepElements = 65536;

/** In plain TypeScript, the event loop running between two steps: where there is no addon, and what its results are held to. */
export async function convertPlainly(blocks: BlocksToConvert): Promise<number | undefined> {
  const [from, to] = [quantCodec(blocks.from), quantCodec(blocks.to)];
  const { source, target, elements, importance } = blocks;
  const values = new Float32Array(Math.min(stepElements, elements));
  const matters = importance && new Float32Array(values.length);
  for (let done = 0; done < elements; done += stepElements) {
    const count = Math.min(stepElements, elements - done);
    const at = (done / from.blockElements) * from.blockBytes;
    from.dequantise(source, at, values, 0, count / from.blockElements);
    const refused = firstRefused(values.subarray(0, count), limitOf(blocks.to));
    if (refused !== undefined) return refused;
    if (importance && matters) fillImportance(importance, done, matters);
    const writeAt = (done / to.blockElements) * to.blockBytes;
    to.quantise(values, 0, target, writeAt, count / to.blockElements, matters);
    await setImmediate();
  }
  return undefined;
}

function firstRefused(values: Float32Array, limit: number): number | undefined {
  for (const value of values) if (!(Math.abs(value) < limit)) return value;
  return undefined;
}

function fillImportance(
  { columns, first }: ColumnImportance,
  done: number,
  matters: Float32Array,
): void {
  for (let i = 0; i < matters.length; i++) {
    matters[i] = columns[(first + done + i) % columns.length]!;
  }
}
