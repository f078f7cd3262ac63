/**
 * Writes a GGUF v3 file tensor by tensor: memory for the header and one piece of data. Nobody ever
 * sees half a model (io/replace-file.ts).
 */
import type { FileHandle } from "node:fs/promises";
import { tensorType } from "../core/dtype.ts";
import { OptionError, ShapeError } from "../core/errors.ts";
import { replaceFile } from "../io/replace-file.ts";
import { encodeHeader, type TensorPlace } from "./encode.ts";
import {
  defaultAlignment,
  isAlignment,
  maxAlignment,
  maxDimensions,
  maxTensorNameBytes,
  minAlignment,
} from "./limits.ts";
import { type MetadataValue, metadataValue } from "./value.ts";

export interface TensorToWrite {
  readonly name: string;
  /** A name of core/dtype's table. */
  readonly type: string;
  /** In GGUF order, the fastest first. */
  readonly dimensions: readonly number[];
  /** The bytes, in pieces of any size; called once. A piece may be reused once the next is asked for. */
  readonly data: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

export interface GgufToWrite {
  readonly path: string;
  readonly metadata: Iterable<readonly [string, MetadataValue]>;
  readonly tensors: Iterable<TensorToWrite>;
  /** Default `GGUF`. */
  readonly magic?: "GGUF" | "PWRI";
  /** Default: `general.alignment` of the metadata, or 32. */
  readonly alignment?: number;
  /** Whether it could be made again after a power cut: then nobody waits for the disk. Default false. */
  readonly isMadeAgain?: boolean;
}

/** @throws OptionError, ShapeError before anything is written; ShapeError if a tensor's data has another length. */
export async function writeGguf(file: GgufToWrite): Promise<void> {
  const metadata = new Map(file.metadata);
  const alignment = chooseAlignment(metadata, file.alignment);
  const tensors = [...file.tensors];
  const places = placeTensors(tensors, alignment);
  const header = encodeHeader({ magic: file.magic ?? "GGUF", metadata, tensors: places });
  const { isMadeAgain = false } = file;
  const write = async (handle: FileHandle): Promise<void> => {
    await writeAll(handle, header);
    await writeAll(handle, padding(header.length, alignment));
    for (const tensor of tensors) await writeTensor(handle, tensor, alignment);
  };
  await replaceFile(file.path, write, { waitsForDisk: !isMadeAgain });
}

/** Makes option and metadata agree; a file without the key has the default. */
function chooseAlignment(metadata: Map<string, MetadataValue>, wanted: number | undefined): number {
  const key = "general.alignment";
  const value = metadata.get(key);
  const alignment = wanted ?? (value?.kind === "number" ? value.value : defaultAlignment);
  if (!isAlignment(alignment)) {
    const expected = `a power of two from ${minAlignment} to ${maxAlignment}`;
    throw new OptionError("alignment", String(alignment), expected);
  }
  if (alignment !== defaultAlignment || value !== undefined) {
    metadata.set(key, metadataValue.u32(alignment));
  }
  return alignment;
}

function placeTensors(tensors: readonly TensorToWrite[], alignment: number): TensorPlace[] {
  const names = new Set<string>();
  let offset = 0;
  return tensors.map((tensor) => {
    checkName(tensor.name, names);
    names.add(tensor.name);
    const { name, dimensions } = tensor;
    const place = { name, typeId: tensorType(tensor.type).id, dimensions, offset };
    offset += roundUp(tensorBytes(tensor), alignment);
    return place;
  });
}

function checkName(name: string, earlier: ReadonlySet<string>): void {
  const length = Buffer.byteLength(name);
  if (length === 0 || length > maxTensorNameBytes) {
    throw new OptionError("tensor name", name, `1 to ${maxTensorNameBytes} bytes of UTF-8`);
  }
  if (earlier.has(name)) throw new OptionError("tensor name", name, "a name used only once");
}

function tensorBytes({ name, type, dimensions }: TensorToWrite): number {
  const { blockElements, blockBytes } = tensorType(type);
  const [row = 0] = dimensions;
  const shape = `[${dimensions.join(", ")}]`;
  const isCounts = dimensions.every((length) => Number.isSafeInteger(length) && length > 0);
  if (dimensions.length === 0 || dimensions.length > maxDimensions || !isCounts) {
    throw new ShapeError(`write ${name}`, `1 to ${maxDimensions} whole dimensions`, shape);
  }
  if (row % blockElements !== 0) {
    throw new ShapeError(
      `write ${name}`,
      `rows of a multiple of ${blockElements} (${type})`,
      shape,
    );
  }
  return (dimensions.reduce((product, length) => product * length, 1) / blockElements) * blockBytes;
}

async function writeTensor(
  handle: FileHandle,
  tensor: TensorToWrite,
  alignment: number,
): Promise<void> {
  const expected = tensorBytes(tensor);
  let written = 0;
  for await (const piece of tensor.data()) {
    written += piece.length;
    if (written > expected) break;
    await writeAll(handle, piece);
  }
  if (written !== expected) {
    const got = written > expected ? `${written} or more` : String(written);
    throw new ShapeError(`write ${tensor.name}`, `${expected} bytes of data`, got);
  }
  await writeAll(handle, padding(expected, alignment));
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}

function padding(length: number, alignment: number): Uint8Array {
  return new Uint8Array(roundUp(length, alignment) - length);
}

function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
