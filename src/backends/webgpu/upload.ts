/**
 * Brings the contents of a recording's buffers onto the GPU. Rows go through three stages, each with its own piece at
 * any time: read from the file, packed into the card's layout (weight-layout.ts), copied by the card. Memory stays
 * bounded: two pieces as read, one packed, and two that the card has yet to copy.
 */
import type { Bytes } from "../../core/units.ts";
import { readTensorBytes } from "../../io/tensor-bytes.ts";
import type { WeightBytes } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { changeableSubsets, changedSubset } from "../../ops/program-ops.ts";
import type { CompileOptions, NeuronChange } from "../backend.ts";
import { openWeightBytes } from "../weight-bytes.ts";
import type { BufferSpec, MatrixPart } from "./kernel.ts";
import { openRowPacker, type RowPacker } from "./row-packer.ts";
import { openRowSource, type RowSource } from "./row-source.ts";
import { pieceBytes, type RowPiece, rowPieces } from "./upload-pieces.ts";
import { packRows, rowLayout } from "./weight-layout.ts";

export interface Upload extends CompileOptions {
  readonly device: GPUDevice;
  readonly total: Bytes;
}

/** Where the contents of each buffer go. */
type Destinations = Iterable<readonly [BufferSpec, GPUBuffer]>;

/** Writes all contents; buffers without contents stay zero. */
export async function uploadAll(
  buffers: ReadonlyMap<BufferSpec, GPUBuffer>,
  upload: Upload,
): Promise<void> {
  await using uploader = new Uploader();
  const loading = uploader.begin(buffers, upload);
  while (loading.hasMore) await loading.next();
  await loading.drain();
}

/** Threads that pack and files that are open, for as many loads as are wanted, one at a time. */
export class Uploader implements AsyncDisposable {
  readonly #packer: RowPacker = openRowPacker();
  readonly #source: RowSource = openRowSource();
  readonly #spare: Uint8Array[] = [];

  /** Reads what comes first; nothing is written before it is asked for. */
  begin(buffers: Destinations, upload: Upload): Loading {
    const tools = { packer: this.#packer, source: this.#source, spare: this.#spare };
    return new Loading(piecesOf(buffers), tools, new Writer(upload));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source[Symbol.asyncDispose]();
    this.#packer[Symbol.dispose]();
  }
}

interface Tools {
  readonly packer: RowPacker;
  readonly source: RowSource;
  /** What has been read into and packed since. */
  readonly spare: Uint8Array[];
}

/** Writes the contents of one buffer after the other, and reads into the next one ahead. */
export class Loading {
  readonly #pieces: Iterator<PlacedPiece, void>;
  readonly #tools: Tools;
  readonly #writer: Writer;
  #packed: Uint8Array = new Uint8Array(0);
  #reading: Reading | undefined;

  constructor(pieces: Iterator<PlacedPiece, void>, tools: Tools, writer: Writer) {
    this.#pieces = pieces;
    this.#tools = tools;
    this.#writer = writer;
    this.#reading = readNext(pieces, tools);
  }

  get hasMore(): boolean {
    return this.#reading !== undefined;
  }

  /** Bytes so far. */
  get written(): Bytes {
    return this.#writer.written;
  }

  /** All of the next buffer that has contents. */
  async next(): Promise<void> {
    const of = this.#reading?.of;
    while (this.#reading !== undefined && this.#reading.of === of) await this.#write(this.#reading);
  }

  /** When the card has the most of it. */
  drain(): Promise<void> {
    return this.#writer.drain();
  }

  async #write({ piece, place, bytes, done }: Reading): Promise<void> {
    const { packer, spare } = this.#tools;
    await done;
    this.#reading = readNext(this.#pieces, this.#tools);
    if (piece === undefined) {
      await this.#writer.write(place, bytes);
      return;
    }
    const { layout, places } = piece;
    const length = places.length * layout.gpuBytes;
    this.#packed = fitting(this.#packed, length);
    await packer.pack(layout, { source: bytes, places, target: this.#packed });
    spare.push(bytes);
    await this.#writer.write(place, this.#packed.subarray(0, length));
  }
}

interface Place {
  readonly buffer: GPUBuffer;
  readonly offset: Bytes;
}

/** What is written at a place: rows of a file, or bytes that were made. */
type PlacedPiece = { readonly of: BufferSpec; readonly place: Place } & (
  | { readonly piece: RowPiece }
  | { readonly made: Uint8Array }
);

function* piecesOf(buffers: Destinations): Generator<PlacedPiece, void, undefined> {
  for (const [of, buffer] of buffers) {
    let offset = 0;
    for (const part of of.contents) {
      if (part.kind === "made") {
        const made = part.make();
        yield { of, place: { buffer, offset }, made };
        offset += made.length;
        continue;
      }
      for (const piece of rowPieces(part)) {
        yield { of, place: { buffer, offset }, piece };
        offset += piece.places.length * piece.layout.gpuBytes;
      }
    }
  }
}

/** Begins to read the next piece, while the one before it is packed. */
function readNext(
  pieces: Iterator<PlacedPiece, void>,
  { source, spare }: Tools,
): Reading | undefined {
  const next = pieces.next();
  if (next.done) return undefined;
  const { of, place } = next.value;
  if ("made" in next.value) {
    return { of, piece: undefined, place, bytes: next.value.made, done: Promise.resolve() };
  }
  const { piece } = next.value;
  const bytes = fitting(spare.pop(), piece.rowsRead * piece.layout.fileBytes);
  const done = source.read(piece, bytes);
  // A failure is thrown when its turn comes; until then somebody must have listened.
  done.catch(() => {});
  return { of, piece, place, bytes, done };
}

interface Reading {
  readonly of: BufferSpec;
  readonly piece: RowPiece | undefined;
  readonly place: Place;
  /** Of a piece: as read, with room to spare. */
  readonly bytes: Uint8Array;
  readonly done: Promise<void>;
}

/** The buffer, or a new one if it is too small. */
function fitting(buffer: Uint8Array | undefined, bytes: Bytes): Uint8Array {
  if (buffer !== undefined && buffer.length >= bytes) return buffer;
  return new Uint8Array(Math.max(bytes, pieceBytes));
}

/** Hands pieces to the queue, which keeps a copy of each until the card has it: of at most two large ones. */
class Writer {
  readonly #upload: Upload;
  #done = 0;
  #unfinished: Bytes = 0;
  #before: Promise<unknown> = Promise.resolve();

  constructor(upload: Upload) {
    this.#upload = upload;
  }

  get written(): Bytes {
    return this.#done;
  }

  async write({ buffer, offset }: Place, data: Uint8Array): Promise<void> {
    const { signal, device, total, onProgress } = this.#upload;
    signal?.throwIfAborted();
    const owned = data.buffer instanceof ArrayBuffer ? data : data.slice();
    device.queue.writeBuffer(buffer, offset, owned.buffer, owned.byteOffset, owned.byteLength);
    this.#done += data.length;
    onProgress?.({ done: this.#done, total });
    this.#unfinished += data.length;
    if (this.#unfinished < pieceBytes / 2) return;
    this.#unfinished = 0;
    const before = this.#before;
    this.#before = device.queue.onSubmittedWorkDone();
    await before;
  }

  async drain(): Promise<void> {
    await this.#before;
  }
}

/** Blocks with a subset compute other neurons, or parts of experts others: in their lists, and on the card. Returns the bytes that were uploaded. */
export function replaceSubsets(
  program: Program,
  change: NeuronChange,
  card: { readonly buffers: ReadonlyMap<BufferSpec, GPUBuffer>; readonly device: GPUDevice },
): Bytes {
  let uploaded = 0;
  for (const subset of changeableSubsets(program, change)) {
    if (subset === undefined) continue;
    const changed = changedSubset(subset, change);
    const places = [...changed.keys()].filter((at) => changed[at] !== subset[at]);
    // Buffers made of the subset read it again.
    subset.set(changed);
    uploaded += uploadReplaced(card.buffers, subset, { places, device: card.device });
  }
  return uploaded;
}

/** Writes anew what is made of these neurons or experts, and of matrices the rows of those at `places`. Returns the bytes. */
function uploadReplaced(
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
      const { expert } = part;
      if (expert?.subset.buffer === neurons.buffer && places.includes(expert.place)) {
        write(buffer, offset, rowsOfExpert(part, expert.rowsOf(neurons[expert.place] ?? 0)));
      }
      offset += part.rowCount * rowLayout(part.type, part.columns).gpuBytes;
    }
  }
  return uploaded;
}

/** The rows at those of the places that lie in the part, each with its offset there; valid until the next is asked for. */
function* replacedRows(
  part: MatrixPart,
  neurons: Uint32Array,
  places: readonly number[],
): Generator<{ readonly at: Bytes; readonly bytes: Uint8Array }, void, undefined> {
  const layout = rowLayout(part.type, part.columns);
  const source = new Uint8Array(layout.fileBytes);
  const target = new Uint8Array(layout.gpuBytes);
  using reader = openWeightBytes(part.bytes);
  for (const place of places) {
    const row = place - part.firstRow;
    if (row < 0 || row >= part.rowCount) continue;
    reader.read((neurons[place] ?? 0) * layout.fileBytes, source);
    packRows(layout, { source, target, rows: 1 });
    yield { at: row * layout.gpuBytes, bytes: target };
  }
}

/** The matrix that stands in the part's place from now on. */
function rowsOfExpert(
  { type, columns, rowCount }: MatrixPart,
  { bytes, firstRow }: Pick<MatrixPart, "bytes" | "firstRow">,
): Uint8Array {
  const layout = rowLayout(type, columns);
  const source = new Uint8Array(rowCount * layout.fileBytes);
  const target = new Uint8Array(rowCount * layout.gpuBytes);
  using reader = openWeightBytes(bytes);
  reader.read(firstRow * layout.fileBytes, source);
  packRows(layout, { source, target, rows: rowCount });
  return target;
}

/** All bytes of a weight. */
export function readWeight(bytes: WeightBytes): Uint8Array {
  return bytes.kind === "memory" ? bytes.data : readTensorBytes(bytes);
}
