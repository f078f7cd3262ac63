/**
 * Tensor types of GGUF: id in the file, block length in elements and block size in bytes.
 * Source: ggml's type table (GGUF specification, v3). A type without a codec in quant/ can be listed, not computed.
 */

/** Weight types that every backend can read; `quant/` holds one codec for each. */
export const weightTypes = [
  "F32",
  "F16",
  "BF16",
  "Q8_0",
  "Q4_0",
  "Q4_1",
  "Q5_0",
  "Q5_1",
  "Q4_K",
  "Q5_K",
  "Q6_K",
] as const;

export type WeightType = (typeof weightTypes)[number];

export interface TensorType {
  readonly name: string;
  readonly id: number;
  /** Elements in a block; a row's length must be a multiple of it. */
  readonly blockElements: number;
  readonly blockBytes: number;
}

const table: readonly TensorType[] = [
  ["F32", 0, 1, 4],
  ["F16", 1, 1, 2],
  ["Q4_0", 2, 32, 18],
  ["Q4_1", 3, 32, 20],
  ["Q5_0", 6, 32, 22],
  ["Q5_1", 7, 32, 24],
  ["Q8_0", 8, 32, 34],
  ["Q8_1", 9, 32, 36],
  ["Q2_K", 10, 256, 84],
  ["Q3_K", 11, 256, 110],
  ["Q4_K", 12, 256, 144],
  ["Q5_K", 13, 256, 176],
  ["Q6_K", 14, 256, 210],
  ["Q8_K", 15, 256, 292],
  ["IQ2_XXS", 16, 256, 66],
  ["IQ2_XS", 17, 256, 74],
  ["IQ3_XXS", 18, 256, 98],
  ["IQ1_S", 19, 256, 50],
  ["IQ4_NL", 20, 32, 18],
  ["IQ3_S", 21, 256, 110],
  ["IQ2_S", 22, 256, 82],
  ["IQ4_XS", 23, 256, 136],
  ["I8", 24, 1, 1],
  ["I16", 25, 1, 2],
  ["I32", 26, 1, 4],
  ["I64", 27, 1, 8],
  ["F64", 28, 1, 8],
  ["IQ1_M", 29, 256, 56],
  ["BF16", 30, 1, 2],
  ["TQ1_0", 34, 256, 54],
  ["TQ2_0", 35, 256, 66],
  ["MXFP4", 39, 32, 17],
  ["NVFP4", 40, 64, 36],
  ["Q1_0", 41, 128, 18],
  ["Q2_0", 42, 64, 18],
].map(([name, id, blockElements, blockBytes]) => ({
  name: String(name),
  id: Number(id),
  blockElements: Number(blockElements),
  blockBytes: Number(blockBytes),
}));

/** Types that ggml once had; it refuses their files too, which must be quantised again. */
export const formerTypes: ReadonlyMap<number, string> = new Map([
  [4, "Q4_2"],
  [5, "Q4_3"],
  [31, "Q4_0_4_4"],
  [32, "Q4_0_4_8"],
  [33, "Q4_0_8_8"],
  [36, "IQ4_NL_4_4"],
  [37, "IQ4_NL_4_8"],
  [38, "IQ4_NL_8_8"],
]);

const byId: ReadonlyMap<number, TensorType> = new Map(table.map((type) => [type.id, type]));
const byName: ReadonlyMap<string, TensorType> = new Map(table.map((type) => [type.name, type]));

export function isWeightType(name: string): name is WeightType {
  return weightTypes.some((type) => type === name);
}

/** The type with this id in a GGUF file, or undefined when hearth has never heard of it. */
export function tensorTypeById(id: number): TensorType | undefined {
  return byId.get(id);
}

/** @throws RangeError for a name that is not in the table: a programming error, not bad input. */
export function tensorType(name: string): TensorType {
  const type = byName.get(name);
  if (type === undefined) throw new RangeError(`no tensor type named ${name}`);
  return type;
}

/** Bytes of one row of `columns` elements. `columns` must be a multiple of the block length. */
export function rowBytes(name: string, columns: number): number {
  const type = tensorType(name);
  return (columns / type.blockElements) * type.blockBytes;
}

/** Bytes of a matrix [rows, columns] in its own type. */
export function weightBytes(weight: {
  readonly type: string;
  readonly rows: number;
  readonly columns: number;
}): number {
  return weight.rows * rowBytes(weight.type, weight.columns);
}
