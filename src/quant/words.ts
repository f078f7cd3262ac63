/** Little-endian words of 16 and 32 bits at any byte. */
export function readShort(source: Uint8Array, at: number): number {
  return source[at]! | (source[at + 1]! << 8);
}

export function writeShort(target: Uint8Array, at: number, value: number): void {
  target[at] = value & 255;
  target[at + 1] = (value >>> 8) & 255;
}

/** As a signed number: shift it with >>>. */
export function readWord(source: Uint8Array, at: number): number {
  return readShort(source, at) | (readShort(source, at + 2) << 16);
}

export function writeWord(target: Uint8Array, at: number, value: number): void {
  writeShort(target, at, value);
  writeShort(target, at + 2, value >>> 16);
}

/** Neighbours in the nibbles of a byte, the first in the low one. */
export function readNibbles(source: Uint8Array, at: number, values: Uint8Array): void {
  for (let i = 0; i < values.length; i++)
    values[i] = (source[at + (i >> 1)]! >> (4 * (i & 1))) & 15;
}

export function writeNibbles(target: Uint8Array, at: number, values: Uint8Array): void {
  for (let i = 0; i < values.length; i += 2) {
    target[at + (i >> 1)] = values[i]! | (values[i + 1]! << 4);
  }
}
