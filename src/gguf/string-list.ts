/**
 * The strings of a metadata array, kept as the bytes of the file and decoded on demand: a vocabulary has 100 000
 * and more, and tokens that are no valid UTF-8 must survive being written again.
 */
import { textInUtf8, textOfUtf8, utf8Of } from "../core/bytes.ts";

const lengthBytes = 8;

export class StringList {
  readonly length: number;
  /** As in the file: for each string its length as u64, then its bytes. */
  readonly raw: Uint8Array;
  readonly #starts: Uint32Array;
  #decoded: readonly string[] | undefined;

  /** `starts` has the position in `raw` of each string's first byte. */
  constructor(raw: Uint8Array, starts: Uint32Array) {
    this.length = starts.length;
    this.raw = raw;
    this.#starts = starts;
  }

  static of(strings: readonly string[]): StringList {
    const encoded = strings.map((text) => utf8Of(text));
    const total = encoded.reduce((sum, bytes) => sum + lengthBytes + bytes.length, 0);
    const raw = new Uint8Array(total);
    const view = new DataView(raw.buffer);
    const starts = new Uint32Array(strings.length);
    let position = 0;
    for (const [index, bytes] of encoded.entries()) {
      view.setBigUint64(position, BigInt(bytes.length), true);
      position += lengthBytes;
      starts[index] = position;
      raw.set(bytes, position);
      position += bytes.length;
    }
    return new StringList(raw, starts);
  }

  /** String `index` without decoding the others; bytes that are no UTF-8 become U+FFFD. */
  at(index: number): string {
    return textOfUtf8(this.bytesAt(index));
  }

  /** The bytes of string `index`, as they are in the file. */
  bytesAt(index: number): Uint8Array {
    const start = this.#starts[index];
    if (start === undefined) throw new RangeError(`string ${index} of ${this.length}`);
    const next = this.#starts[index + 1];
    return this.raw.subarray(start, next === undefined ? this.raw.length : next - lengthBytes);
  }

  /** All of them, decoded once. */
  toArray(): readonly string[] {
    if (this.#decoded === undefined) {
      const { raw } = this;
      const starts = this.#starts;
      this.#decoded = Array.from(starts, (start, index) => {
        const next = starts[index + 1];
        return textInUtf8(raw, start, next === undefined ? raw.length : next - lengthBytes);
      });
    }
    return this.#decoded;
  }
}
