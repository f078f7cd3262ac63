/** `hearth-llm/gguf`: what a GGUF file says of itself, read in a browser as in Node: metadata and tensors, never weights. */
import { counted } from "../core/counted.ts";
import { FileFormatError } from "../core/errors.ts";
import { runWithPauses } from "../core/pausable.ts";
import { type GgufHeader, type GgufMagic, headerSteps } from "../gguf/header.ts";
import { firstWindowBytes } from "../gguf/limits.ts";
import type { Metadata } from "../gguf/metadata.ts";
import type { TensorInfo } from "../gguf/tensor-info.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { checkRange, memorySource } from "../io/memory-source.ts";

export type { GgufHeader, GgufMagic, Metadata, TensorInfo };
export { FileFormatError };

/** A browser's Blob or File, as far as it is needed. */
export interface BlobLike {
  readonly size: number;
  readonly name?: string;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/** A file elsewhere, such as behind an address that answers requests for ranges. */
export interface RemoteFile {
  /** What errors call it. */
  readonly name: string;
  /** Of the whole file. */
  readonly size: number;
  /** The bytes [offset, offset + length), all of them. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/**
 * Reads only the header: of a file elsewhere a first quarter MiB, and more where the header goes on. Of a split model, this one
 * part. @throws FileFormatError naming field, value and offset, for whatever is no sound GGUF file.
 */
export async function readGguf(
  file: Uint8Array | BlobLike | RemoteFile,
  name = "the file",
): Promise<GgufHeader> {
  if (file instanceof Uint8Array) return runWithPauses(headerSteps(memorySource(name, file)));
  const remote = "slice" in file ? fileOfBlob(file, name) : file;
  let start = await readPart(remote, 0, Math.min(remote.size, firstWindowBytes));
  for (;;) {
    const part = partOf(remote, start);
    try {
      return await runWithPauses(headerSteps(part.source));
    } catch (error) {
      const wanted = part.wanted();
      if (wanted === undefined) throw error;
      start = joined(start, await readPart(remote, start.length, wanted - start.length));
    }
  }
}

function fileOfBlob(blob: BlobLike, name: string): RemoteFile {
  return {
    name: blob.name ?? name,
    size: blob.size,
    read: async (offset, length) =>
      new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  };
}

/** The start of a file as the whole, and how far it was to be read when it ended too early. */
function partOf(
  { name, size }: RemoteFile,
  start: Uint8Array,
): { readonly source: ByteSource; wanted(): number | undefined } {
  let wanted: number | undefined;
  const read = (offset: number, length: number): Uint8Array => {
    checkRange(name, { offset, length, size });
    if (offset + length <= start.length) return start.subarray(offset, offset + length);
    wanted = offset + length;
    throw new RangeError(`${name}: only ${start.length} bytes are here`);
  };
  return { source: { name, size, read }, wanted: () => wanted };
}

async function readPart(file: RemoteFile, offset: number, length: number): Promise<Uint8Array> {
  const bytes = await file.read(offset, length);
  if (bytes.length === length) return bytes;
  throw new FileFormatError({
    file: file.name,
    where: "file",
    found: counted(bytes.length, "byte"),
    expected: counted(length, "byte"),
    offset,
  });
}

function joined(start: Uint8Array, more: Uint8Array): Uint8Array {
  const all = new Uint8Array(start.length + more.length);
  all.set(start);
  all.set(more, start.length);
  return all;
}
