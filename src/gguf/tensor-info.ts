/**
 * Reads what a header says about tensors and checks that it can be true: shapes that fit their type, places that
 * are aligned, inside the file and apart from each other.
 */
import { counted } from "../core/counted.ts";
import { formerTypes, type TensorType, tensorTypeById, weightTypes } from "../core/dtype.ts";
import { FileFormatError } from "../core/errors.ts";
import type { HeaderCursor } from "./cursor.ts";
import * as limits from "./limits.ts";
import { quoted } from "./value.ts";

export interface TensorInfo {
  readonly name: string;
  /** A name of core/dtype's table; quant/ may have no codec for it. */
  readonly type: string;
  /** In GGUF order: the fastest first, so a matrix of [rows, columns] has dimensions [columns, rows]. */
  readonly dimensions: readonly number[];
  /** The file that holds it. */
  readonly path: string;
  /** Absolute, in that file. */
  readonly offset: number;
  readonly bytes: number;
}

/** A tensor with its offset relative to the data, and where the header says so. */
interface ClaimedTensor extends TensorInfo {
  readonly infoOffset: number;
}

/**
 * "sound": what cannot be true is an error. "as claimed": tensors may lie anywhere, also behind the end of a file that was
 * cut off, and have types that hearth has never heard of, then of 0 bytes: to tell what a file is that cannot be run.
 */
export type TensorTrust = "sound" | "as claimed";

export function readTensorInfos(
  cursor: HeaderCursor,
  file: {
    readonly count: number;
    readonly alignment: number;
    readonly path: string;
    readonly fileBytes: number;
    readonly trust: TensorTrust;
  },
): { readonly tensors: readonly TensorInfo[]; readonly dataOffset: number } {
  const claimed = new Map<string, ClaimedTensor>();
  for (let index = 0; index < file.count; index++) {
    const tensor = readTensorInfo(cursor, { ...file, index });
    if (claimed.has(tensor.name)) {
      const problem = { found: `a second ${quoted(tensor.name)}`, expected: "each name once" };
      cursor.fail(`name of tensor ${index}`, { ...problem, offset: tensor.infoOffset });
    }
    claimed.set(tensor.name, tensor);
  }
  const dataOffset = Math.ceil(cursor.position / file.alignment) * file.alignment;
  const placed = [...claimed.values()];
  if (file.trust === "sound") {
    checkPlaces(placed, { path: file.path, dataBytes: file.fileBytes - dataOffset });
  }
  const tensors = placed.map(({ infoOffset: _, ...tensor }) => ({
    ...tensor,
    offset: tensor.offset + dataOffset,
  }));
  return { tensors, dataOffset };
}

function readTensorInfo(
  cursor: HeaderCursor,
  place: {
    readonly index: number;
    readonly path: string;
    readonly alignment: number;
    readonly trust: TensorTrust;
  },
): ClaimedTensor {
  const infoOffset = cursor.position;
  const name = cursor.name(`name of tensor ${place.index}`, limits.maxTensorNameBytes);
  const where = `tensor ${quoted(name)}`;
  const dimensions = readDimensions(cursor, where);
  const type = readType(cursor, where, place.trust);
  const bytes = tensorBytes(cursor, { where, type, dimensions, offset: infoOffset });
  const at = cursor.position;
  const offset = cursor.count(`offset of ${where}`, limits.maxDataBytes);
  if (offset % place.alignment !== 0) {
    const expected = `a multiple of the alignment ${place.alignment}`;
    cursor.fail(`offset of ${where}`, { found: String(offset), expected, offset: at });
  }
  return { name, type: type.type, dimensions, path: place.path, offset, bytes, infoOffset };
}

function readDimensions(cursor: HeaderCursor, where: string): readonly number[] {
  const at = cursor.position;
  const count = cursor.u32(`dimension count of ${where}`);
  if (count < 1 || count > limits.maxDimensions) {
    const expected = `1 to ${limits.maxDimensions}`;
    cursor.fail(`dimension count of ${where}`, { found: String(count), expected, offset: at });
  }
  const dimensions: number[] = [];
  let elements = 1;
  for (let index = 0; index < count; index++) {
    const offset = cursor.position;
    const field = `dimension ${index} of ${where}`;
    const length = cursor.count(field, limits.maxElements);
    elements *= length;
    if (length === 0 || elements > limits.maxElements) {
      const expected = `at least 1, and a product of at most ${limits.maxElements}`;
      cursor.fail(field, { found: String(length), expected, offset });
    }
    dimensions.push(length);
  }
  return dimensions;
}

function readType(cursor: HeaderCursor, where: string, trust: TensorTrust): TensorType {
  const offset = cursor.position;
  const id = cursor.u32(`type of ${where}`);
  const type = tensorTypeById(id);
  if (type !== undefined) return type;
  if (trust === "as claimed") return { type: `type ${id}`, id, blockElements: 1, blockBytes: 0 };
  const former = formerTypes.get(id);
  const found = former === undefined ? `type id ${id}` : `type id ${id} (${former})`;
  const known = `a type that hearth knows: ${weightTypes.join(", ")}`;
  const expected =
    former === undefined ? known : `${known}; quantise the model's F32, F16 or BF16 file again`;
  return cursor.fail(`type of ${where}`, { found, expected, offset });
}

function tensorBytes(
  cursor: HeaderCursor,
  tensor: {
    readonly where: string;
    readonly type: TensorType;
    readonly dimensions: readonly number[];
    readonly offset: number;
  },
): number {
  const { where, type, dimensions, offset } = tensor;
  const [row = 0] = dimensions;
  if (row % type.blockElements !== 0) {
    const expected = `a multiple of ${type.blockElements}, the block of ${type.type}`;
    cursor.fail(`row length of ${where}`, { found: String(row), expected, offset });
  }
  const elements = dimensions.reduce((product, length) => product * length, 1);
  const bytes = (elements / type.blockElements) * type.blockBytes;
  if (bytes > limits.maxDataBytes) {
    const expected = `at most ${limits.maxDataBytes}`;
    cursor.fail(`size of ${where}`, { found: counted(bytes, "byte"), expected, offset });
  }
  return bytes;
}

function checkPlaces(
  tensors: readonly ClaimedTensor[],
  data: { readonly path: string; readonly dataBytes: number },
): void {
  const inOrder = tensors.toSorted((left, right) => left.offset - right.offset);
  let previous: ClaimedTensor | undefined;
  for (const tensor of inOrder) {
    const { name, offset, bytes, infoOffset } = tensor;
    const where = `tensor ${quoted(name)}`;
    const found = `${counted(bytes, "byte")} from ${offset} of the data`;
    if (offset + bytes > data.dataBytes) {
      const expected = `an end within the ${counted(Math.max(0, data.dataBytes), "byte")} of data in the file`;
      throw new FileFormatError({ file: data.path, where, found, expected, offset: infoOffset });
    }
    if (previous !== undefined && offset < previous.offset + previous.bytes) {
      const end = previous.offset + previous.bytes;
      const expected = `nothing before ${end}, where ${quoted(previous.name)} ends`;
      throw new FileFormatError({ file: data.path, where, found, expected, offset: infoOffset });
    }
    previous = tensor;
  }
}
