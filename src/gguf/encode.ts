/** Bytes of a GGUF v3 header: the reverse of header.ts, read-value.ts and tensor-info.ts. */
import {
  type ArrayValue,
  arrayId,
  booleanId,
  type MetadataValue,
  numberLayouts,
  stringId,
} from "./value.ts";

const version = 3;

export interface TensorPlace {
  readonly name: string;
  readonly typeId: number;
  readonly dimensions: readonly number[];
  /** Relative to the data. */
  readonly offset: number;
}

export function encodeHeader(header: {
  readonly magic: "GGUF" | "PWRI";
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  readonly tensors: readonly TensorPlace[];
}): Uint8Array {
  const pieces: Uint8Array[] = [Buffer.from(header.magic, "latin1"), u32(version)];
  pieces.push(u64(header.tensors.length), u64(header.metadata.size));
  for (const [key, value] of header.metadata) {
    pieces.push(text(key));
    addValue(pieces, value);
  }
  for (const tensor of header.tensors) {
    pieces.push(text(tensor.name), u32(tensor.dimensions.length));
    pieces.push(...tensor.dimensions.map(u64), u32(tensor.typeId), u64(tensor.offset));
  }
  return Buffer.concat(pieces);
}

function addValue(pieces: Uint8Array[], value: MetadataValue): void {
  switch (value.kind) {
    case "number": {
      const { id, bytes, view } = numberLayouts[value.type];
      const memory = new ArrayBuffer(bytes);
      const scalar = view(memory);
      if (!(scalar instanceof BigUint64Array || scalar instanceof BigInt64Array)) {
        scalar[0] = value.value;
      }
      pieces.push(u32(id), new Uint8Array(memory));
      return;
    }
    case "long":
      pieces.push(u32(numberLayouts[value.type].id), long(BigInt.asUintN(64, value.value)));
      return;
    case "boolean":
      pieces.push(u32(booleanId), Uint8Array.of(value.value ? 1 : 0));
      return;
    case "string":
      pieces.push(u32(stringId), text(value.value));
      return;
    default:
      pieces.push(u32(arrayId));
      addArray(pieces, value);
  }
}

function addArray(pieces: Uint8Array[], array: ArrayValue): void {
  const length = u64(array.values.length);
  switch (array.kind) {
    case "numbers": {
      const { buffer, byteOffset, byteLength } = array.values;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      pieces.push(u32(numberLayouts[array.type].id), length, bytes);
      return;
    }
    case "booleans":
      pieces.push(u32(booleanId), length, array.values);
      return;
    case "strings":
      pieces.push(u32(stringId), length, array.values.raw);
      return;
    case "arrays":
      pieces.push(u32(arrayId), length);
      for (const inner of array.values) addArray(pieces, inner);
      return;
    default:
      array satisfies never;
  }
}

function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Uint8Array {
  return long(BigInt(value));
}

function long(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value, "utf8");
  return Buffer.concat([u64(bytes.length), bytes]);
}
