/** Parts of the bytes of a weight, wherever they lie. */
import { closeSync } from "node:fs";
import type { Bytes } from "../core/units.ts";
import { readFully } from "../io/byte-source.ts";
import { openForReading } from "../io/open-file.ts";
import type { WeightBytes } from "../ops/op.ts";

export interface WeightBytesReader extends Disposable {
  /** Fills `target` from byte `offset` of the weight. @throws FileFormatError where the file ends before. */
  read(offset: Bytes, target: Uint8Array): void;
}

/** @throws FileAccessError */
export function openWeightBytes(bytes: WeightBytes): WeightBytesReader {
  if (bytes.kind === "memory") {
    const { data } = bytes;
    return {
      read: (offset, target) => target.set(data.subarray(offset, offset + target.length)),
      [Symbol.dispose]: () => {},
    };
  }
  const { path, offset: begin } = bytes;
  const descriptor = openForReading(path);
  return {
    read: (offset, target) =>
      readFully(descriptor, { path, offset: begin + offset, bytes: target }),
    [Symbol.dispose]: () => closeSync(descriptor),
  };
}
