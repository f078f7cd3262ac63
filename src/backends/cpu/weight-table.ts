/**
 * Collects the weights, files and small arrays that ops name, each once, as indexes into tables of numbers.
 * Files are mapped by a MappedFiles, which shares a mapping among executables.
 */
import { tensorType, type WeightType, weightBytes } from "../../core/dtype.ts";
import { ShapeError } from "../../core/errors.ts";
import type { Bytes } from "../../core/units.ts";
import type { Weight } from "../../ops/op.ts";
import type { Handle } from "../addon.ts";
import type { MappedFiles } from "./mapped-files.ts";
import { nativePlace } from "./native-memory.ts";
import { listRecord } from "./program-records.ts";

type SmallArray = Float32Array | Int32Array | Uint32Array | Uint8Array;

export interface WeightTable {
  /** The weight's index; -1 for none. */
  add(weight: Weight | undefined): number;
  /** The array's index; -1 for none. */
  addArray(array: SmallArray | undefined): number;
  readonly sources: readonly (Handle | Uint8Array)[];
  readonly arrays: readonly SmallArray[];
  numbers(): Float64Array;
  /** Bytes of the weights that lie in files, and in memory; each stretch once. */
  bytes(): { readonly mapped: number; readonly copied: number };
  /** Where the weights lie in files. */
  stretches(): readonly FileStretch[];
}

export interface FileStretch {
  readonly path: string;
  readonly offset: Bytes;
  readonly bytes: Bytes;
}

export function createWeightTable(files: Pick<MappedFiles, "open">): WeightTable {
  const weights = new Map<Weight, number>();
  const numbers: number[] = [];
  const sources: (Handle | Uint8Array)[] = [];
  const sourceIndex = new Map<string | Handle, number>();
  const arrays: SmallArray[] = [];
  const arrayIndex = new Map<object, number>();
  const stretches = {
    mapped: new Map<string, FileStretch>(),
    copied: new Map<Uint8Array, number>(),
  };

  const source = (weight: Weight): { readonly index: number; readonly offset: number } => {
    const { bytes } = weight;
    const needed = checkedBytes(weight);
    if (bytes.kind === "memory") {
      if (bytes.data.length < needed) throw tooFewBytes(weight, needed, bytes.data.length);
      stretches.copied.set(bytes.data, bytes.data.length);
      const { source, offset } = nativePlace(bytes.data);
      return { index: intern(sources, sourceIndex, source, () => source), offset };
    }
    const file = files.open(bytes.path);
    if (bytes.bytes < needed) throw tooFewBytes(weight, needed, bytes.bytes);
    if (file.bytes < bytes.offset + needed) {
      throw tooFewBytes(weight, needed, Math.max(0, file.bytes - bytes.offset));
    }
    const { path, offset } = bytes;
    stretches.mapped.set(`${path}\n${offset}`, { path, offset, bytes: needed });
    const index = intern(sources, sourceIndex, bytes.path, () => file.handle);
    return { index, offset: bytes.offset };
  };

  return {
    sources,
    arrays,
    add: (weight) => {
      if (weight === undefined) return -1;
      const known = weights.get(weight);
      if (known !== undefined) return known;
      const { index, offset } = source(weight);
      const { rows, columns } = weight;
      const type = typeId(weight.type);
      numbers.push(...listRecord("weight", { type, rows, columns, source: index, offset }));
      weights.set(weight, weights.size);
      return weights.size - 1;
    },
    addArray: (array) =>
      array === undefined ? -1 : intern(arrays, arrayIndex, array, () => array),
    numbers: () => Float64Array.from(numbers),
    bytes: () => ({
      mapped: sum(Array.from(stretches.mapped.values(), ({ bytes }) => bytes)),
      copied: sum(stretches.copied.values()),
    }),
    stretches: () => [...stretches.mapped.values()],
  };
}

export function typeId(type: WeightType): number {
  return tensorType(type).id;
}

/** Bytes of the weight. @throws ShapeError unless a row is a whole number of blocks. */
export function checkedBytes(weight: Weight): number {
  const { blockElements } = tensorType(weight.type);
  if (weight.columns % blockElements !== 0) {
    const expected = `columns a multiple of ${blockElements} for ${weight.type}`;
    throw new ShapeError(weight.name, expected, String(weight.columns));
  }
  return weightBytes(weight);
}

function tooFewBytes(weight: Weight, needed: number, found: number): ShapeError {
  return new ShapeError(weight.name, `${needed} bytes of data`, String(found));
}

function intern<Key, Value>(
  list: Value[],
  index: Map<Key, number>,
  key: Key,
  make: () => Value,
): number {
  const known = index.get(key);
  if (known !== undefined) return known;
  index.set(key, list.length);
  list.push(make());
  return list.length - 1;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
