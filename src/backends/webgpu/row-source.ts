/** Reads the rows of pieces, ahead of whoever packs them: each file is opened once, and several reads are under way. */
import { closeSync } from "node:fs";
import { readFullyLater } from "../../io/byte-source.ts";
import { openForReading } from "../../io/open-file.ts";
import type { WeightBytes } from "../../ops/op.ts";
import type { RowPiece } from "./upload-pieces.ts";

/** Node's pool has four threads; one copies 5 GB/s out of the page cache, all of them more than a link takes. */
const lanes = 4;
/** So that one large span keeps all lanes busy. */
const maxRead = 4 * 1024 * 1024;

export interface RowSource extends AsyncDisposable {
  /** Reads the piece's spans into `target`, [rowsRead, fileBytes]. @throws FileAccessError, FileFormatError */
  read(piece: RowPiece, target: Uint8Array): Promise<void>;
}

interface Read {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export function openRowSource(): RowSource {
  const descriptors = new Map<string, number>();
  const underWay = new Set<Promise<void>>();
  const read = async (piece: RowPiece, target: Uint8Array): Promise<void> => {
    const { bytes } = piece.part;
    if (bytes.kind === "memory") {
      for (const { offset, bytes: to } of readsOf(piece, target)) {
        to.set(bytes.data.subarray(offset, offset + to.length));
      }
      return;
    }
    const descriptor = descriptors.get(bytes.path) ?? openForReading(bytes.path);
    descriptors.set(bytes.path, descriptor);
    const reads = readsOf(piece, target);
    const lane = async (): Promise<void> => {
      for (const one of reads) await readFrom(descriptor, bytes, one);
    };
    // All lanes end before an error is passed on: none may write to the target or read the file later.
    const outcomes = await Promise.allSettled(Array.from({ length: lanes }, lane));
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
  };
  return {
    read: (piece, target) => {
      const reading = read(piece, target).finally(() => underWay.delete(reading));
      underWay.add(reading);
      return reading;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled(underWay);
      for (const descriptor of descriptors.values()) closeSync(descriptor);
    },
  };
}

/** The lanes take from one generator, so each read is done once. */
function* readsOf(
  { layout, spans }: RowPiece,
  target: Uint8Array,
): Generator<Read, void, undefined> {
  const { fileBytes } = layout;
  for (const { first, count, at } of spans) {
    const length = count * fileBytes;
    for (let done = 0; done < length; done += maxRead) {
      const begin = at * fileBytes + done;
      const end = begin + Math.min(maxRead, length - done);
      yield { offset: first * fileBytes + done, bytes: target.subarray(begin, end) };
    }
  }
}

function readFrom(
  descriptor: number,
  file: Extract<WeightBytes, { kind: "file" }>,
  { offset, bytes }: Read,
): Promise<void> {
  return readFullyLater(descriptor, { path: file.path, offset: file.offset + offset, bytes });
}
