/**
 * Reads the header of one GGUF file, version 2 or 3, little endian: magic, metadata, tensor infos. The file is not
 * trusted: counts are checked against the bytes left before anything is allocated. Sources: GGUF specification
 * (ggml docs/gguf.md); `PWRI`: PowerInfer's magic for the same layout, it says that the file has predictors.
 */
import { byteStringOfBytes, hexOf } from "../core/bytes.ts";
import { type Pausable, runAtOnce } from "../core/pausable.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { HeaderCursor } from "./cursor.ts";
import * as limits from "./limits.ts";
import { Metadata, type MetadataEntry } from "./metadata.ts";
import { guessFormat } from "./mistaken-file.ts";
import { readValue } from "./read-value.ts";
import { readTensorInfos, type TensorInfo, type TensorTrust } from "./tensor-info.ts";

export type GgufMagic = "GGUF" | "PWRI";

/** One file's header: of a whole model, or of a part of it. */
export interface GgufHeader {
  readonly magic: GgufMagic;
  readonly version: number;
  readonly metadata: Metadata;
  readonly tensors: readonly TensorInfo[];
  /** Where the tensor infos end. */
  readonly headerBytes: number;
  /** Where the data begins: headerBytes, aligned. */
  readonly dataOffset: number;
}

/** Key (8 + 1), type (4) and value (1); name (8 + 1), dimensions (4 + 8), type (4), offset (8): the least there is. */
const minEntryBytes = 14;
const minTensorBytes = 33;

/** @throws FileFormatError naming the field, the value found and its offset, for whatever is wrong. */
export function readGgufHeader(source: ByteSource): GgufHeader {
  return runAtOnce(headerSteps(source));
}

/** The same in steps: the vocabulary of a large model takes a tenth of a second. */
export function* headerSteps(
  source: ByteSource,
  trust: TensorTrust = "sound",
): Pausable<GgufHeader> {
  const cursor = new HeaderCursor(source);
  const magic = readMagic(cursor, source);
  const version = readVersion(cursor);
  const tensorCount = readCount(cursor, "tensor count", limits.maxTensors, minTensorBytes);
  const keyCount = readCount(cursor, "metadata count", limits.maxMetadataKeys, minEntryBytes);
  const metadata = new Metadata(source.name, yield* readEntries(cursor, keyCount));
  const alignment = readAlignment(cursor, metadata);
  const { tensors, dataOffset } = readTensorInfos(cursor, {
    count: tensorCount,
    alignment,
    path: source.name,
    fileBytes: source.size,
    trust,
  });
  return { magic, version, metadata, tensors, headerBytes: cursor.position, dataOffset };
}

/** From so many bytes a format can be guessed. */
const formatBytes = 64;

function readMagic(cursor: HeaderCursor, source: ByteSource): GgufMagic {
  const start = source.read(0, Math.min(source.size, formatBytes));
  const text = byteStringOfBytes(start.subarray(0, 4));
  if (text === "GGUF" || text === "PWRI") {
    cursor.bytes(4, "magic");
    return text;
  }
  const guess = guessFormat(start);
  const bytes = `bytes ${hexOf(start.subarray(0, 4))}${guess && `: ${guess}`}`;
  const found = source.size === 0 ? "an empty file (an interrupted download?)" : bytes;
  return cursor.fail("magic", { found, expected: "GGUF (or PWRI) in ASCII", offset: 0 });
}

function readVersion(cursor: HeaderCursor): number {
  const version = cursor.u32("version");
  if (version === 2 || version === 3) return version;
  const isBigEndian = version !== 0 && (version & 0xffff) === 0;
  const found = isBigEndian ? `0x${version.toString(16)}, a big-endian file` : String(version);
  const expected = isBigEndian
    ? "a little-endian file; gguf_convert_endian.py of llama.cpp converts it"
    : "version 2 or 3; llama.cpp's quantize rewrites older files";
  return cursor.fail("version", { found, expected, offset: 4 });
}

/** A count of things of which each takes at least `minBytes` in the file. */
function readCount(cursor: HeaderCursor, where: string, limit: number, minBytes: number): number {
  const offset = cursor.position;
  const count = cursor.count(where, limit);
  if (count * minBytes > cursor.remaining) {
    const expected = `at most ${Math.floor(cursor.remaining / minBytes)} in the bytes that follow`;
    cursor.fail(where, { found: String(count), expected, offset });
  }
  return count;
}

function* readEntries(
  cursor: HeaderCursor,
  count: number,
): Pausable<ReadonlyMap<string, MetadataEntry>> {
  const entries = new Map<string, MetadataEntry>();
  for (let index = 0; index < count; index++) {
    const offset = cursor.position;
    const key = cursor.name(`metadata key ${index}`, limits.maxKeyBytes);
    if (entries.has(key)) {
      const expected = "each key once";
      cursor.fail(`metadata key ${index}`, { found: `a second ${key}`, expected, offset });
    }
    entries.set(key, { value: yield* readValue(cursor, `metadata key ${key}`), offset });
  }
  return entries;
}

function readAlignment(cursor: HeaderCursor, metadata: Metadata): number {
  const key = "general.alignment";
  const alignment = metadata.optionalNumber(key) ?? limits.defaultAlignment;
  if (limits.isAlignment(alignment)) return alignment;
  const expected = `a power of two from ${limits.minAlignment} to ${limits.maxAlignment}`;
  const offset = metadata.offsetOf(key) ?? 0;
  return cursor.fail(`metadata key ${key}`, { found: String(alignment), expected, offset });
}
