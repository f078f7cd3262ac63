/**
 * A short name for a model's content: what profiles, predictors and placements are kept under. It covers the whole
 * header, the sizes and samples of the data, so a renamed file keeps it and other weights of one shape differ;
 * it does not protect against somebody who wants two files to look the same.
 */
import { createHash, type Hash } from "node:crypto";
import { type ByteSource, withFile } from "../io/byte-source.ts";

/** 16 samples of 4 KiB: a fine-tune changes all weights, so any one sample would do; 64 KiB are read in < 1 ms. */
const sampleCount = 16;
const sampleBytes = 4096;
/** The header is hashed in pieces of this size. */
const pieceBytes = 1 << 20;

export function fingerprintOf(
  files: readonly { path: string; bytes: number; headerBytes: number; dataOffset: number }[],
): string {
  const hash = createHash("sha256");
  for (const file of files) {
    hash.update(`part ${file.headerBytes} ${file.bytes}\n`);
    withFile(file.path, (source) => {
      addRange(hash, source, { begin: 0, end: file.headerBytes });
      addSamples(hash, source, file.dataOffset);
    });
  }
  return hash.digest("hex");
}

function addRange(hash: Hash, source: ByteSource, range: { begin: number; end: number }): void {
  for (let at = range.begin; at < range.end; at += pieceBytes) {
    hash.update(source.read(at, Math.min(pieceBytes, range.end - at)));
  }
}

function addSamples(hash: Hash, source: ByteSource, dataOffset: number): void {
  for (const range of sampledRanges({ bytes: source.size, dataOffset })) {
    addRange(hash, source, range);
  }
}

/** Samples from the first to the last byte of the data, evenly spread; all of it when it is small. */
export function sampledRanges({
  bytes,
  dataOffset,
}: {
  readonly bytes: number;
  readonly dataOffset: number;
}): readonly { readonly begin: number; readonly end: number }[] {
  const dataBytes = bytes - dataOffset;
  if (dataBytes <= sampleCount * sampleBytes) return [{ begin: dataOffset, end: bytes }];
  const distance = (dataBytes - sampleBytes) / (sampleCount - 1);
  return Array.from({ length: sampleCount }, (_, sample) => {
    const begin = dataOffset + Math.floor(sample * distance);
    return { begin, end: begin + sampleBytes };
  });
}
