/**
 * Walks through a header, reading the file in a window that doubles when the header goes on: the weights behind
 * are never read. Every read checks that the file has the bytes, before anything is allocated for them.
 */
import { hexOf, textOfValidUtf8 } from "../core/bytes.ts";
import { counted } from "../core/counted.ts";
import { FileFormatError } from "../core/errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { firstWindowBytes, maxHeaderBytes } from "./limits.ts";

/** 2^21: a u64 whose high word is below this is exact as a JavaScript number. */
const safeHighWord = 0x200000;

export class HeaderCursor {
  readonly #source: ByteSource;
  #window: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));
  #position = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#source.size - this.#position;
  }

  /** @throws FileFormatError always; `offset` is where the wrong value begins. */
  fail(where: string, problem: { found: string; expected: string; offset: number }): never {
    throw new FileFormatError({ file: this.#source.name, where, ...problem });
  }

  u8(where: string): number {
    const at = this.#advance(1, where);
    return this.#view.getUint8(at);
  }

  u32(where: string): number {
    const at = this.#advance(4, where);
    return this.#view.getUint32(at, true);
  }

  /** A u64 that counts or measures something; `limit` is the largest that makes sense. */
  count(where: string, limit: number): number {
    const at = this.#advance(8, where);
    const low = this.#view.getUint32(at, true);
    const high = this.#view.getUint32(at + 4, true);
    const value = high * 0x100000000 + low;
    if (high >= safeHighWord || value > limit) {
      const found = String(this.#view.getBigUint64(at, true));
      this.fail(where, { found, expected: `at most ${limit}`, offset: at });
    }
    return value;
  }

  /** A view of the next bytes, valid until the next read. */
  bytes(length: number, where: string): Uint8Array {
    const at = this.#advance(length, where);
    return this.#window.subarray(at, at + length);
  }

  /** The next bytes in a buffer of their own, aligned for any typed array. */
  copy(length: number, where: string): ArrayBuffer {
    const copied = new ArrayBuffer(length);
    new Uint8Array(copied).set(this.bytes(length, where));
    return copied;
  }

  /** Bytes that were passed already, as a copy. */
  passed(start: number): Uint8Array {
    return this.#window.slice(start, this.#position);
  }

  skip(length: number, where: string): void {
    this.#advance(length, where);
  }

  /** A length and so many bytes of valid UTF-8: keys and names, which must be exact. */
  name(where: string, maxBytes: number): string {
    const at = this.#position;
    const length = this.count(`length of ${where}`, maxBytes);
    if (length === 0) this.fail(where, { found: "an empty name", expected: "a name", offset: at });
    const bytes = this.bytes(length, where);
    try {
      return textOfValidUtf8(bytes);
    } catch {
      return this.fail(where, {
        found: `bytes ${hexOf(bytes.subarray(0, 16))}`,
        expected: "valid UTF-8",
        offset: at + 8,
      });
    }
  }

  /** Moves on by `length` and says where that piece begins; the window holds all of it afterwards. */
  #advance(length: number, where: string): number {
    const at = this.#position;
    const end = at + length;
    if (end > this.#window.length) this.#grow(end, where);
    this.#position = end;
    return at;
  }

  #grow(end: number, where: string): void {
    const { size } = this.#source;
    if (end > size) {
      const found = `the end of the file at ${size}`;
      this.fail(where, {
        found,
        expected: counted(end - this.#position, "byte"),
        offset: this.#position,
      });
    }
    if (end > maxHeaderBytes) {
      const found = `a header of more than ${end} bytes`;
      const expected = `at most ${maxHeaderBytes}`;
      this.fail(where, { found, expected, offset: this.#position });
    }
    const known = this.#window.length;
    const wanted = Math.min(size, Math.max(end, 2 * known, firstWindowBytes));
    const more = this.#source.read(known, wanted - known);
    if (known === 0) {
      this.#window = more;
    } else {
      const grown = new Uint8Array(wanted);
      grown.set(this.#window);
      grown.set(more, known);
      this.#window = grown;
    }
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.length);
  }
}
