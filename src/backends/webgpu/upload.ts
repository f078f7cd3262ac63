/**
 * Brings the contents of a recording's buffers onto the GPU, through one staging area of bounded size: rows are read
 * from the file in pieces, regrouped (weight-layout.ts) and handed to queue.writeBuffer. The queue is drained after
 * each piece so that Dawn's own copies stay as bounded as ours.
 */
import { type Bytes, MiB } from "../../core/units.ts";
import { readPieces, readTensorBytes } from "../../io/tensor-bytes.ts";
import type { WeightBytes } from "../../ops/op.ts";
import type { CompileOptions } from "../backend.ts";
import type { BufferSpec, MatrixPart } from "./kernel.ts";
import { packRows, type RowLayout, rowLayout } from "./weight-layout.ts";

/** A piece: large against the cost of a call (some 10 µs), small against memory. */
const pieceBytes = 16 * MiB;

export interface Upload extends CompileOptions {
  readonly device: GPUDevice;
  readonly total: Bytes;
}

/** Writes all contents; buffers without contents stay zero. */
export async function uploadAll(
  buffers: ReadonlyMap<BufferSpec, GPUBuffer>,
  upload: Upload,
): Promise<void> {
  let done = 0;
  for (const [spec, buffer] of buffers) {
    let offset = 0;
    for (const part of spec.contents) {
      const pieces = part.kind === "made" ? [part.make()] : packedPieces(part);
      for (const piece of pieces) {
        upload.signal?.throwIfAborted();
        upload.device.queue.writeBuffer(buffer, offset, piece);
        offset += piece.length;
        done += piece.length;
        upload.onProgress?.({ done, total: upload.total });
        if (piece.length >= pieceBytes / 2) await upload.device.queue.onSubmittedWorkDone();
      }
    }
  }
}

/** Writes anew what is made of these neurons, and of matrices the rows of those at `places`. Returns the bytes. */
export function uploadReplaced(
  buffers: ReadonlyMap<BufferSpec, GPUBuffer>,
  neurons: Uint32Array,
  { places, device }: { readonly places: readonly number[]; readonly device: GPUDevice },
): Bytes {
  let uploaded = 0;
  const write = (buffer: GPUBuffer, offset: Bytes, data: Uint8Array): void => {
    const owned = data.buffer instanceof ArrayBuffer ? data : data.slice();
    device.queue.writeBuffer(buffer, offset, owned.buffer, owned.byteOffset, owned.byteLength);
    uploaded += data.length;
  };
  for (const [spec, buffer] of buffers) {
    let offset = 0;
    for (const part of spec.contents) {
      const isOfThem = part.rows?.buffer === neurons.buffer;
      if (part.kind === "made") {
        if (isOfThem) write(buffer, offset, part.make());
        continue;
      }
      if (isOfThem) {
        for (const row of replacedRows(part, neurons, places)) {
          write(buffer, offset + row.at, row.bytes);
        }
      }
      offset += part.rowCount * rowLayout(part.type, part.columns).gpuBytes;
    }
  }
  return uploaded;
}

/** The rows at those of the places that lie in the part, each with its offset there. */
function* replacedRows(
  part: MatrixPart,
  neurons: Uint32Array,
  places: readonly number[],
): Generator<{ readonly at: Bytes; readonly bytes: Uint8Array }, void, undefined> {
  const { gpuBytes } = rowLayout(part.type, part.columns);
  for (const place of places) {
    const row = place - part.firstRow;
    if (row < 0 || row >= part.rowCount) continue;
    const rows = neurons.subarray(place, place + 1);
    for (const bytes of packedPieces({ ...part, rows, rowCount: 1 })) {
      yield { at: row * gpuBytes, bytes };
    }
  }
}

/** The rows of a part in the GPU's layout; each piece is valid until the next is asked for. */
function* packedPieces(part: MatrixPart): Generator<Uint8Array<ArrayBuffer>, void, undefined> {
  const layout = rowLayout(part.type, part.columns);
  const rowsPerPiece = Math.max(
    1,
    Math.floor(pieceBytes / Math.max(layout.gpuBytes, layout.fileBytes)),
  );
  const packed = new Uint8Array(Math.min(rowsPerPiece, part.rowCount) * layout.gpuBytes);
  for (const source of sourcePieces(part, layout, rowsPerPiece)) {
    const rows = source.length / layout.fileBytes;
    packRows(layout, { source, target: packed, rows });
    yield packed.subarray(0, rows * layout.gpuBytes);
  }
}

function* sourcePieces(
  part: MatrixPart,
  { fileBytes }: RowLayout,
  rowsPerPiece: number,
): Generator<Uint8Array, void, undefined> {
  if (part.rows !== undefined) {
    yield* gatheredPieces(part, { fileBytes, rowsPerPiece, rows: part.rows });
    return;
  }
  const { bytes } = part;
  const first = part.firstRow * fileBytes;
  const length = part.rowCount * fileBytes;
  if (bytes.kind === "file") {
    const location = { path: bytes.path, offset: bytes.offset + first, bytes: length };
    yield* readPieces(location, rowsPerPiece * fileBytes);
    return;
  }
  const whole = evenlyPlaced(bytes.data);
  for (let at = 0; at < length; at += rowsPerPiece * fileBytes) {
    const end = Math.min(at + rowsPerPiece * fileBytes, length);
    yield whole.subarray(first + at, first + end);
  }
}

/** Only some rows: neighbours are read together, so a hot prefix costs few reads. */
function* gatheredPieces(
  part: MatrixPart,
  from: { readonly fileBytes: number; readonly rowsPerPiece: number; readonly rows: Uint32Array },
): Generator<Uint8Array, void, undefined> {
  const { fileBytes, rowsPerPiece, rows } = from;
  for (let begin = 0; begin < rows.length; begin += rowsPerPiece) {
    const wanted = rows.subarray(begin, begin + rowsPerPiece);
    const gathered = new Uint8Array(wanted.length * fileBytes);
    for (let i = 0; i < wanted.length; ) {
      let next = i + 1;
      while (next < wanted.length && wanted[next] === (wanted[next - 1] ?? 0) + 1) next++;
      const run = { offset: (wanted[i] ?? 0) * fileBytes, bytes: (next - i) * fileBytes };
      gathered.set(readRange(part.bytes, run), i * fileBytes);
      i = next;
    }
    yield gathered;
  }
}

function readRange(
  bytes: WeightBytes,
  { offset, bytes: length }: { readonly offset: number; readonly bytes: number },
): Uint8Array {
  if (bytes.kind === "memory") return bytes.data.subarray(offset, offset + length);
  return readTensorBytes({ path: bytes.path, offset: bytes.offset + offset, bytes: length });
}

/** All bytes of a weight. */
export function readWeight(bytes: WeightBytes): Uint8Array {
  return bytes.kind === "memory" ? bytes.data : readTensorBytes(bytes);
}

/** A view that 16-bit words can be read from. */
function evenlyPlaced(data: Uint8Array): Uint8Array {
  return data.byteOffset % 2 === 0 ? data : data.slice();
}
