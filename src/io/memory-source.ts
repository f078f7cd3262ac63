/** Bytes that are in memory as a ByteSource: what a reader sees of a fuzzer's, or of a browser's. Needs no Node. */
import { counted } from "../core/counted.ts";
import { FileFormatError } from "../core/errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** Bytes that are in memory already; `read` gives views, not copies. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: (offset, length) => {
      checkRange(name, { offset, length, size: bytes.length });
      return bytes.subarray(offset, offset + length);
    },
  };
}

/** @throws FileFormatError for a range that is not in a file of this size. */
export function checkRange(
  file: string,
  range: { readonly offset: number; readonly length: number; readonly size: number },
): void {
  const { offset, length, size } = range;
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new FileFormatError({
    file,
    where: "file",
    found: `a size of ${counted(size, "byte")}`,
    expected: `at least ${offset + length}`,
    offset,
  });
}
