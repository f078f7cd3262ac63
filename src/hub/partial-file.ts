/**
 * A file while it is being fetched, by several connections and over several processes: what has arrived is marked in it, so
 * that a killed fetch goes on where it was.
 *
 *   [0, size)                      the bytes of the file, each in its place
 *   [size + 4 i, size + 4 i + 4)   how many bytes of piece i are there, from the piece's beginning: u32, little endian
 *
 * A mark is written after its bytes. After a power cut it may still be there without them: only the digest says that a file
 * is whole.
 */
import { rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { type Bytes, MiB } from "../core/units.ts";
import { syncFile } from "../io/file-handle.ts";
import { fileAccessError } from "../io/open-file.ts";
import type { ByteSpan } from "./file-stream.ts";

/** What one request asks for: long enough that its round trip does not count (16 MiB at 100 MB/s take 0.2 s). */
const pieceBytes: Bytes = 16 * MiB;

const markBytes = 4;

/** The end is that of huggingface_hub's partial files; it resumes none of ours, nor we its, which have no marks. */
export const partialEnd = ".hearth.incomplete";

/** Where the content of this name is put together. */
export function partialPath(blob: string): string {
  return `${blob}${partialEnd}`;
}

export class PartialFile {
  readonly path: string;
  readonly size: Bytes;
  readonly #handle: FileHandle;
  /** Bytes of each piece that are there. */
  readonly #marks: Uint32Array;
  #done: Bytes;
  #onWrite: (() => void)[] = [];

  private constructor(path: string, size: Bytes, handle: FileHandle, marks: Uint32Array) {
    this.path = path;
    this.size = size;
    this.#handle = handle;
    this.#marks = marks;
    this.#done = marks.reduce((sum, mark) => sum + mark, 0);
  }

  /** What an earlier fetch has left is kept. Only one process at a time may open it. @throws FileAccessError */
  static async open(path: string, size: Bytes): Promise<PartialFile> {
    const marks = new Uint32Array(Math.ceil(size / pieceBytes));
    const whole = size + marks.length * markBytes;
    const handle = await accessing(path, () => openOrMake(path));
    try {
      const { size: found } = await handle.stat();
      // Cut to its size before it was to get its name, and then killed.
      if (found === size) marks.set([...marks].map((_, i) => pieceSize(i, size)));
      else if (found === whole) await readMarks(handle, marks, size);
      if (found !== whole) await accessing(path, () => handle.truncate(whole));
      if (found === size) await writeMarks(handle, marks, size);
      return new PartialFile(path, size, handle, marks);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that are there. */
  get done(): Bytes {
    return this.#done;
  }

  /** Bytes from the beginning of the file that are there without a gap. */
  get prefix(): Bytes {
    const first = this.#marks.findIndex((mark, i) => mark < pieceSize(i, this.size));
    return first < 0 ? this.size : first * pieceBytes + (this.#marks[first] ?? 0);
  }

  /** What is missing, piece by piece, in the order of the file. */
  missing(): readonly ByteSpan[] {
    return [...this.#marks].flatMap((mark, i) => {
      const begin = i * pieceBytes + mark;
      const end = i * pieceBytes + pieceSize(i, this.size);
      return begin < end ? [{ begin, end }] : [];
    });
  }

  /** `bytes` belong at `offset`, where what is there of a piece ends. @throws FileAccessError: no space, for example */
  async write(offset: Bytes, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const piece = Math.floor((offset + at) / pieceBytes);
      const end = Math.min(bytes.length, (piece + 1) * pieceBytes - offset);
      await this.#writeWithin(piece, offset + at, bytes.subarray(at, end));
      at = end;
    }
  }

  async #writeWithin(piece: number, offset: Bytes, bytes: Uint8Array): Promise<void> {
    // A server that sends whole files only sends again what is there.
    const mark = Math.max(offset + bytes.length - piece * pieceBytes, this.#marks[piece] ?? 0);
    await accessing(this.path, async () => {
      await writeAll(this.#handle, bytes, offset);
      await writeAll(this.#handle, encodeMarks([mark]), this.size + piece * markBytes);
    });
    const before = this.#marks[piece] ?? 0;
    this.#marks.fill(mark, piece, piece + 1);
    this.#done += mark - before;
    this.wake();
  }

  /** Reads what has been written. */
  async read(span: ByteSpan): Promise<Uint8Array> {
    const bytes = new Uint8Array(span.end - span.begin);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await this.#handle.read(bytes, at, bytes.length - at, span.begin + at);
      if (bytesRead === 0) throw new Error(`${this.path}: what was written is not there`);
      at += bytesRead;
    }
    return bytes;
  }

  /** Resolves at the next write, or when somebody wakes those who wait. */
  async nextWrite(): Promise<void> {
    await new Promise<void>((resolve) => this.#onWrite.push(resolve));
  }

  wake(): void {
    const waiting = this.#onWrite;
    this.#onWrite = [];
    for (const resolve of waiting) resolve();
  }

  /** Nothing but the bytes of the file, and those on the disk. Then it may get its name. */
  async finish(): Promise<void> {
    await accessing(this.path, async () => {
      await this.#handle.truncate(this.size);
      await syncFile(this.#handle);
    });
    await this.close();
  }

  /** What is there stays for the next time. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  async discard(): Promise<void> {
    await this.close();
    rmSync(this.path, { force: true });
  }
}

function pieceSize(piece: number, size: Bytes): Bytes {
  return Math.min(pieceBytes, size - piece * pieceBytes);
}

async function openOrMake(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r+");
  } catch {
    return await open(path, "wx+");
  }
}

/** A mark that says more than its piece has is none. */
async function readMarks(handle: FileHandle, marks: Uint32Array, size: Bytes): Promise<void> {
  const bytes = Buffer.alloc(marks.length * markBytes);
  await handle.read(bytes, 0, bytes.length, size);
  const claimed = [...marks].map((_, i) => bytes.readUInt32LE(i * markBytes));
  marks.set(claimed.map((mark, i) => (mark <= pieceSize(i, size) ? mark : 0)));
}

async function writeMarks(handle: FileHandle, marks: Uint32Array, size: Bytes): Promise<void> {
  await writeAll(handle, encodeMarks([...marks]), size);
}

function encodeMarks(marks: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(marks.length * markBytes);
  marks.forEach((mark, i) => {
    bytes.writeUInt32LE(mark, i * markBytes);
  });
  return bytes;
}

/** A write may be short: of a disk that is nearly full. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: Bytes): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, offset + at);
    at += bytesWritten;
  }
}

async function accessing<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw fileAccessError(path, error);
  }
}
