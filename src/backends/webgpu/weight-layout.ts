/**
 * How a quantised row lies in GPU memory: the file's bytes, regrouped so that every read is aligned.
 * A block of 18, 34 or 210 bytes cannot be read as u32; so a row is cut into planes: the codes of all its blocks
 * first (16 bytes and multiples of it: one vec4<u32> a read), then the small fields (scales, high bits).
 *
 *   Q4_0 row, 3 blocks: | q0 16 B | q1 16 B | q2 16 B | d0 d1 d2 | padding to 16 B |
 *
 * A row costs its file bytes and less than 16 more.
 *
 * Q4_0 and Q8_0 rows of whole groups (eight units of 16 bytes: 256 and 128 columns) are regrouped once more. Threads
 * with neighbouring units then read neighbouring quads of x: unit i of a group holds quad i of each of its blocks.
 *
 *   Q4_0: unit i, word j = | quad i of block j in the low nibbles | quad i of block j + 4 in the high ones |
 *   Q8_0: unit i, word j = quad i of block j
 */
import { tensorType, type WeightType } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";

/** A field of each block: `bytes` from byte `at`. */
interface Plane {
  readonly at: number;
  readonly bytes: number;
}

/** In the order of the planes in GPU memory; together they are the whole block. Offsets: the drawings in quant/. */
const planesByType: Readonly<Record<WeightType, readonly Plane[]>> = {
  F32: [{ at: 0, bytes: 4 }],
  F16: [{ at: 0, bytes: 2 }],
  BF16: [{ at: 0, bytes: 2 }],
  Q8_0: [
    { at: 2, bytes: 32 },
    { at: 0, bytes: 2 },
  ],
  Q4_0: [
    { at: 2, bytes: 16 },
    { at: 0, bytes: 2 },
  ],
  Q4_1: [
    { at: 4, bytes: 16 },
    { at: 0, bytes: 4 },
  ],
  Q5_0: [
    { at: 6, bytes: 16 },
    { at: 2, bytes: 4 },
    { at: 0, bytes: 2 },
  ],
  Q5_1: [
    { at: 8, bytes: 16 },
    { at: 4, bytes: 4 },
    { at: 0, bytes: 4 },
  ],
  Q4_K: [{ at: 0, bytes: 144 }],
  Q5_K: [{ at: 0, bytes: 176 }],
  Q6_K: [
    { at: 0, bytes: 208 },
    { at: 208, bytes: 2 },
  ],
  Q2_K: [{ at: 0, bytes: 84 }],
  Q3_K: [
    { at: 0, bytes: 108 },
    { at: 108, bytes: 2 },
  ],
  IQ4_NL: [
    { at: 2, bytes: 16 },
    { at: 0, bytes: 2 },
  ],
  IQ4_XS: [
    { at: 8, bytes: 128 },
    { at: 0, bytes: 8 },
  ],
  MXFP4: [
    { at: 1, bytes: 16 },
    { at: 0, bytes: 1 },
  ],
  IQ3_XXS: scaleFirst(98),
  IQ3_S: scaleFirst(110),
  IQ2_XXS: scaleFirst(66),
  IQ2_XS: scaleFirst(74),
  IQ2_S: scaleFirst(82),
  IQ1_S: scaleFirst(50),
  IQ1_M: [{ at: 0, bytes: 56 }],
  TQ1_0: [
    { at: 0, bytes: 52 },
    { at: 52, bytes: 2 },
  ],
  TQ2_0: [
    { at: 0, bytes: 64 },
    { at: 64, bytes: 2 },
  ],
  NVFP4: [
    { at: 4, bytes: 32 },
    { at: 0, bytes: 4 },
  ],
};

/** Blocks that begin with a binary16: without it, the rest is whole words. */
function scaleFirst(blockBytes: number): readonly Plane[] {
  return [
    { at: 2, bytes: blockBytes - 2 },
    { at: 0, bytes: 2 },
  ];
}

export interface RowLayout {
  readonly type: WeightType;
  readonly columns: number;
  readonly blocks: number;
  /** Bytes of a row in the file and in GPU memory. */
  readonly fileBytes: Bytes;
  readonly gpuBytes: Bytes;
  /** First byte of each plane within a GPU row. */
  readonly planeStart: readonly number[];
  /** Its codes are regrouped by eight units. */
  readonly isGrouped: boolean;
}

/** Blocks of eight units, and how many bits a code has. */
const groupings: Readonly<
  Partial<Record<WeightType, { readonly blocks: number; readonly bits: 4 | 8 }>>
> = { Q8_0: { blocks: 4, bits: 8 }, Q4_0: { blocks: 8, bits: 4 } };

export function rowLayout(type: WeightType, columns: number): RowLayout {
  const { blockElements, blockBytes } = tensorType(type);
  const blocks = columns / blockElements;
  const planeStart: number[] = [];
  let at = 0;
  for (const plane of planesByType[type]) {
    at = align(at, Math.min(plane.bytes, 4));
    planeStart.push(at);
    at += plane.bytes * blocks;
  }
  return {
    type,
    columns,
    blocks,
    fileBytes: blocks * blockBytes,
    gpuBytes: align(at, 16),
    planeStart,
    isGrouped: blocks % (groupings[type]?.blocks ?? Number.POSITIVE_INFINITY) === 0,
  };
}

export function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

/** Regroups whole rows: source in the file's layout, target [rows, gpuBytes]; both start at a multiple of two bytes. */
export function packRows(
  layout: RowLayout,
  {
    source,
    target,
    rows,
  }: { readonly source: Uint8Array; readonly target: Uint8Array; readonly rows: number },
): void {
  const planes = planesByType[layout.type];
  if (planes.length === 1 && layout.fileBytes === layout.gpuBytes) {
    target.set(source.subarray(0, rows * layout.fileBytes));
    return;
  }
  const { from, to, unit } = wordsOf(layout, { source, target, rows });
  to.fill(0);
  planes.forEach((plane, p) => {
    for (let row = 0; row < rows; row++) {
      const start = { from: (row * layout.fileBytes) / unit, to: (row * layout.gpuBytes) / unit };
      if (p === 0 && layout.isGrouped) {
        packGroups(layout, { from: from.subarray(start.from), to: to.subarray(start.to) });
        continue;
      }
      packPlane(
        { from, to, words: plane.bytes / unit, blocks: layout.blocks },
        {
          source: start.from + plane.at / unit,
          stride: layout.fileBytes / layout.blocks / unit,
          target: start.to + (layout.planeStart[p] ?? 0) / unit,
        },
      );
    }
  });
}

/** A layout and a count of rows as the addon's packRows takes them. */
export function packingNumbers(layout: RowLayout, rows: number): Float64Array {
  const { type, fileBytes, gpuBytes, blocks, planeStart, isGrouped } = layout;
  const grouping = isGrouped ? (groupings[type]?.bits === 4 ? 1 : 2) : 0;
  const planes = planesByType[type].flatMap(({ at, bytes }, p) => [at, bytes, planeStart[p] ?? 0]);
  return Float64Array.of(rows, fileBytes, gpuBytes, blocks, grouping, ...planes);
}

type Words = Uint16Array | Uint8Array;

/** Source and target as the largest words that every field is a whole number of: two bytes, but one for MXFP4. */
function wordsOf(
  layout: RowLayout,
  {
    source,
    target,
    rows,
  }: { readonly source: Uint8Array; readonly target: Uint8Array; readonly rows: number },
): { readonly from: Words; readonly to: Words; readonly unit: 1 | 2 } {
  const [fromBytes, toBytes] = [rows * layout.fileBytes, rows * layout.gpuBytes];
  if (planesByType[layout.type].some(({ bytes }) => bytes % 2 === 1)) {
    return { from: source.subarray(0, fromBytes), to: target.subarray(0, toBytes), unit: 1 };
  }
  return {
    from: new Uint16Array(source.buffer, source.byteOffset, fromBytes / 2),
    to: new Uint16Array(target.buffer, target.byteOffset, toBytes / 2),
    unit: 2,
  };
}

interface PlaneCopy {
  readonly from: Words;
  readonly to: Words;
  readonly words: number;
  readonly blocks: number;
}

function packPlane(
  { from, to, words, blocks }: PlaneCopy,
  at: { readonly source: number; readonly stride: number; readonly target: number },
): void {
  let out = at.target;
  for (let block = 0; block < blocks; block++) {
    const start = at.source + block * at.stride;
    for (let word = 0; word < words; word++) to[out++] = from[start + word] ?? 0;
  }
}

/** The codes of a row, group by group. A block in the file is its scale, then its codes. */
function packGroups(
  { type, blocks }: RowLayout,
  { from, to }: { readonly from: Words; readonly to: Words },
): void {
  const isNibbles = groupings[type]?.bits === 4;
  const stride = tensorType(type).blockBytes / 2;
  const perGroup = groupings[type]?.blocks ?? blocks;
  let out = 0;
  for (let group = 0; group < blocks; group += perGroup) {
    for (let unit = 0; unit < 8; unit++) {
      const word = 1 + 2 * (isNibbles ? unit & 3 : unit);
      const shift = isNibbles && unit >= 4 ? 4 : 0;
      for (let block = group; block < group + 4; block++) {
        const low = block * stride + word;
        for (let half = low; half < low + 2; half++) {
          const code = from[half] ?? 0;
          to[out++] = isNibbles
            ? ((code >> shift) & 0x0f0f) |
              ((((from[half + 4 * stride] ?? 0) >> shift) & 0x0f0f) << 4)
            : code;
        }
      }
    }
  }
}
