/**
 * Tensor types of GGUF: those that hearth computes with, and what it knows of them; and those that it only knows by name.
 * Source: ggml's type table (GGUF specification, v3).
 */

export interface TensorType {
  readonly type: string;
  /** In GGUF files. */
  readonly id: number;
  /** Elements in a block; a row's length must be a multiple of it. */
  readonly blockElements: number;
  readonly blockBytes: number;
}

/** Types in which elements stand alone, or nearly so: what rows of a transposed down projection are written in. */
export type RowType = "F32" | "F16" | "BF16" | "Q8_0";

/** All that is known of a type of weights before a backend sees it. */
interface WeightFormat extends TensorType {
  readonly type: WeightType;
  /**
   * "float": an element is a number of its own. "linear": a code times a scale, and perhaps an offset. "book": a code
   * is an index into a list of values, times a scale. "lattice": four or eight elements share a code, the index of a
   * point.
   */
  readonly codes: "float" | "linear" | "book" | "lattice";
  /** Weights are code · scale − offset, which a backend may add up as two separate sums. */
  readonly hasOffsets: boolean;
  /** `general.file_type` of a model that is (nearly) all of this type. Source: llama.h, llama_ftype. */
  readonly fileType: number;
  /** What its transposed rows are stored as: decision 0004. */
  readonly rowType: RowType;
}

/**
 * The weight types that every backend can read, and the only list of them: quant/ has a codec for each.
 * Blocks lie along the rows, so a transposed row must be made of new blocks. Those of Q8_0 hold it without visible
 * loss after a coarser type; Q8_0 itself becomes F16, which keeps it. Elements that stand alone keep their type.
 */
const weightTable = [
  // type, id, elements and bytes of a block, codes, hasOffsets, fileType, rowType
  ["F32", 0, 1, 4, "float", false, 0, "F32"],
  ["F16", 1, 1, 2, "float", false, 1, "F16"],
  ["BF16", 30, 1, 2, "float", false, 32, "BF16"],
  ["Q8_0", 8, 32, 34, "linear", false, 7, "F16"],
  ["Q4_0", 2, 32, 18, "linear", true, 2, "Q8_0"],
  ["Q4_1", 3, 32, 20, "linear", true, 3, "Q8_0"],
  ["Q5_0", 6, 32, 22, "linear", true, 8, "Q8_0"],
  ["Q5_1", 7, 32, 24, "linear", true, 9, "Q8_0"],
  ["Q4_K", 12, 256, 144, "linear", true, 14, "Q8_0"],
  ["Q5_K", 13, 256, 176, "linear", true, 16, "Q8_0"],
  ["Q6_K", 14, 256, 210, "linear", true, 18, "Q8_0"],
  ["Q2_K", 10, 256, 84, "linear", true, 10, "Q8_0"],
  ["Q3_K", 11, 256, 110, "linear", true, 11, "Q8_0"],
  ["IQ4_NL", 20, 32, 18, "book", false, 25, "Q8_0"],
  ["IQ4_XS", 23, 256, 136, "book", false, 30, "Q8_0"],
  ["MXFP4", 39, 32, 17, "book", false, 38, "Q8_0"],
  ["IQ3_XXS", 18, 256, 98, "lattice", false, 23, "Q8_0"],
  ["IQ3_S", 21, 256, 110, "lattice", false, 26, "Q8_0"],
  ["IQ2_XXS", 16, 256, 66, "lattice", false, 19, "Q8_0"],
  ["IQ2_XS", 17, 256, 74, "lattice", false, 20, "Q8_0"],
  ["IQ2_S", 22, 256, 82, "lattice", false, 28, "Q8_0"],
  ["IQ1_S", 19, 256, 50, "lattice", true, 24, "Q8_0"],
  ["IQ1_M", 29, 256, 56, "lattice", true, 31, "Q8_0"],
  ["TQ1_0", 34, 256, 54, "linear", true, 36, "Q8_0"],
  ["TQ2_0", 35, 256, 66, "linear", true, 37, "Q8_0"],
  ["NVFP4", 40, 64, 36, "book", false, 39, "Q8_0"],
] as const;

/** Types of GGUF in which hearth has no weights: a file that has them is read, and refused by their names. */
const otherTable = [
  ["Q8_1", 9, 32, 36],
  ["Q8_K", 15, 256, 292],
  ["I8", 24, 1, 1],
  ["I16", 25, 1, 2],
  ["I32", 26, 1, 4],
  ["I64", 27, 1, 8],
  ["F64", 28, 1, 8],
  ["Q1_0", 41, 128, 18],
  ["Q2_0", 42, 64, 18],
] as const;

/**
 * Types that ggml once had; it refuses their files too, which must be quantised again. bitnet.cpp has taken one id for
 * its own: see docs/decisions/0016-i2_s.md.
 */
export const formerTypes: ReadonlyMap<number, string> = new Map([
  [4, "Q4_2"],
  [5, "Q4_3"],
  [31, "Q4_0_4_4"],
  [32, "Q4_0_4_8"],
  [33, "Q4_0_8_8"],
  [36, "I2_S of bitnet.cpp, or IQ4_NL_4_4"],
  [37, "IQ4_NL_4_8"],
  [38, "IQ4_NL_8_8"],
]);

export type WeightType = (typeof weightTable)[number][0];

const weightFormats: readonly WeightFormat[] = weightTable.map(
  ([type, id, blockElements, blockBytes, codes, hasOffsets, fileType, rowType]) => ({
    type,
    id,
    blockElements,
    blockBytes,
    codes,
    hasOffsets,
    fileType,
    rowType,
  }),
);

/** In the order of the table. */
export const weightTypes: readonly WeightType[] = weightFormats.map(({ type }) => type);

const otherTypes: readonly TensorType[] = otherTable.map(
  ([type, id, blockElements, blockBytes]) => ({ type, id, blockElements, blockBytes }),
);

const formats: ReadonlyMap<string, WeightFormat> = new Map(
  weightFormats.map((format) => [format.type, format]),
);
const types: readonly TensorType[] = [...weightFormats, ...otherTypes];
const byId: ReadonlyMap<number, TensorType> = new Map(types.map((type) => [type.id, type]));
const byName: ReadonlyMap<string, TensorType> = new Map(types.map((type) => [type.type, type]));

export function isWeightType(name: string): name is WeightType {
  return formats.has(name);
}

/** What is known of a type of weights. */
export function weightFormat(type: WeightType): WeightFormat {
  return formats.get(type) as WeightFormat;
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
