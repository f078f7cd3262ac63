/**
 * The twelve bytes of Q4_K and Q5_K that hold eight 6-bit scales s and eight 6-bit offsets m:
 *
 *   byte 0..3    s[0..3]  | upper two bits of s[4..7] in bits 6 and 7
 *   byte 4..7    m[0..3]  | upper two bits of m[4..7] in bits 6 and 7
 *   byte 8..11   lower four bits of s[4..7] | lower four bits of m[4..7] << 4
 *
 * Source: ggml, get_scale_min_k4 and quantize_row_q4_K_ref.
 */
import { roundToEven, writeHalf } from "./half.ts";
import { OffsetSearch, type ValuesToScale } from "./scale-search.ts";

export const groupCount = 8;
export const groupElements = 32;
const largestStep = 63;

export function readGroupScale(source: Uint8Array, at: number, group: number): number {
  if (group < 4) return source[at + group]! & 63;
  return (source[at + group + 4]! & 15) | ((source[at + group - 4]! >> 6) << 4);
}

export function readGroupOffset(source: Uint8Array, at: number, group: number): number {
  if (group < 4) return source[at + group + 4]! & 63;
  return (source[at + group + 4]! >> 4) | ((source[at + group]! >> 6) << 4);
}

function writeGroups(
  target: Uint8Array,
  at: number,
  scales: Uint8Array,
  offsets: Uint8Array,
): void {
  for (let group = 0; group < 4; group++) {
    const scale = scales[group + 4]!;
    const offset = offsets[group + 4]!;
    target[at + group] = scales[group]! | ((scale >> 4) << 6);
    target[at + 4 + group] = offsets[group]! | ((offset >> 4) << 6);
    target[at + 8 + group] = (scale & 15) | ((offset & 15) << 4);
  }
}

/** Chooses and stores d, dmin and the groups' scales of super-blocks, and computes their codes. */
export class SuperBlockQuantiser {
  /** The codes of the last block: [256], 0..largestCode. */
  readonly codes: Uint8Array = new Uint8Array(groupCount * groupElements);
  readonly #search: OffsetSearch;
  readonly #largestCode: number;
  readonly #scales = new Float64Array(groupCount);
  readonly #offsets = new Float64Array(groupCount);
  readonly #scaleSteps = new Uint8Array(groupCount);
  readonly #offsetSteps = new Uint8Array(groupCount);

  constructor(options: { largestCode: number; first: number; candidates: number }) {
    this.#largestCode = options.largestCode;
    this.#search = new OffsetSearch({ groupElements, ...options });
  }

  /** Writes the first 16 bytes of the block (d, dmin, scales) and leaves `codes` for the caller to pack. */
  run({ source, from, weights }: ValuesToScale, target: Uint8Array, to: number): void {
    for (let group = 0; group < groupCount; group++) {
      const begin = group * groupElements;
      this.#search.run(source, from + begin, weights?.subarray(begin));
      this.#scales[group] = this.#search.scale;
      this.#offsets[group] = this.#search.offset;
    }
    toSteps(this.#scales, this.#scaleSteps);
    toSteps(this.#offsets, this.#offsetSteps);
    const d = writeHalf(target, to, Math.max(0, ...this.#scales) / largestStep);
    const dmin = writeHalf(target, to + 2, Math.max(0, ...this.#offsets) / largestStep);
    writeGroups(target, to + 4, this.#scaleSteps, this.#offsetSteps);
    for (let group = 0; group < groupCount; group++) {
      const scale = d * this.#scaleSteps[group]!;
      const offset = dmin * this.#offsetSteps[group]!;
      this.#encodeGroup(source.subarray(from), group, { scale, offset });
    }
  }

  #encodeGroup(
    source: Float32Array,
    group: number,
    rounded: { readonly scale: number; readonly offset: number },
  ): void {
    const begin = group * groupElements;
    const inverse = rounded.scale === 0 ? 0 : 1 / rounded.scale;
    for (let i = begin; i < begin + groupElements; i++) {
      const code = roundToEven((source[i]! + rounded.offset) * inverse);
      this.codes[i] = Math.max(0, Math.min(this.#largestCode, code));
    }
  }
}

/** Each value in steps of the largest / 63; all are >= 0. */
function toSteps(values: Float64Array, steps: Uint8Array): void {
  const largest = Math.max(0, ...values);
  const inverse = largest > 0 ? largestStep / largest : 0;
  for (let i = 0; i < values.length; i++) {
    steps[i] = Math.max(0, Math.min(largestStep, roundToEven(values[i]! * inverse)));
  }
}
