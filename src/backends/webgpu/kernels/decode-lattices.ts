/**
 * Lattice types: a code is the index of a point of four or eight numbers. The grid lies behind the rows of the buffer
 * (grid-table.ts). Unit = 32 columns, which share a word or a byte of signs, indexes and scales in each part of the
 * block. An octet is eight of them. Layouts: the drawings in quant/.
 */
import type { WeightType } from "../../../core/dtype.ts";
import { gridBytes } from "../grid-table.ts";
import type { Format } from "./decode-format.ts";

type LatticeType = Extract<
  WeightType,
  "IQ3_XXS" | "IQ3_S" | "IQ2_XXS" | "IQ2_XS" | "IQ2_S" | "IQ1_S" | "IQ1_M"
>;

const signs = /* wgsl */ `
fn signed_by(value: vec4<f32>, bits: u32) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(value) ^ (bits4(bits, 0u) << vec4<u32>(31u)));
}
// Of seven signs, with the eighth that makes the number of minuses even.
fn even(seven: u32) -> u32 { return seven | ((countOneBits(seven) & 1u) << 7u); }`;

function table(type: LatticeType): string {
  return `fn grid_word(i: u32) -> u32 { return word((arrayLength(&w) - ${gridBytes(type) / 16}u) * 4u + i); }`;
}

/** Points of four: a byte for each number. */
function fourWide(type: LatticeType): string {
  return `${signs}
${table(type)}
fn point(i: u32) -> vec4<f32> { return whole(bytes4(grid_word(i)), 0.0); }`;
}

/** Points of eight, two bits a number: `levels` makes numbers of them. */
function eightWide(type: LatticeType, levels: string): string {
  return `${signs}
${table(type)}
fn point(i: u32) -> u32 { return (grid_word(i >> 1u) >> ((i & 1u) * 16u)) & 0xffffu; }
fn numbers(levels: u32) -> vec4<f32> {
  let level = (vec4<u32>(levels) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
  return ${levels};
}`;
}

/** 8, 25 and 43. */
const unevenLevels = "whole(level * 17u + (level >> vec4<u32>(1u)) + vec4<u32>(8u), 0.0)";
const ternaryLevels = "whole(level, 1.0)";

const unit = { quads: 8, elements: 32, quadAt: "u * 8u + q", at: null } as const;

/** Block b and group g of 32 columns, the block's first word, and d, which stands behind the words of all blocks. */
function place(words: number): string {
  return `let b = u >> 3u; let g = u & 7u;
  let block = row * 4u + b * ${words}u;
  let d = half((row * 4u + shape.plane1) * 2u + b);`;
}

function quads(make: (octet: number, half: 0 | 1) => string): string {
  const all = [0, 1, 2, 3].flatMap((octet) => [make(octet, 0), make(octet, 1)]);
  return `return array<vec4<f32>, 8>(\n    ${all.join(",\n    ")});`;
}

/** Points and sign bytes p0, s0, p1, s1, … of the four octets; a scale for each, or one for all. */
function signedQuads(scale: (octet: number) => string): string {
  return quads(
    (octet, half) =>
      `${scale(octet)} * signed_by(numbers(p${octet} >> ${8 * half}u), s${octet} >> ${4 * half}u)`,
  );
}

/** Of the octets: their points by index, and their signs. */
function pointsOf(index: (octet: number) => string, sign: (octet: number) => string): string {
  return [0, 1, 2, 3]
    .map((octet) => `let p${octet} = point(${index(octet)}); let s${octet} = ${sign(octet)};`)
    .join("\n  ");
}

function byteOf(word: string, index: number): string {
  return `((${word} >> ${8 * index}u) & 255u)`;
}

/** Two scales of 16 columns from the nibbles of byte g of a word. */
function nibbleScales(word: string): string {
  return `let steps = (${word} >> ((g & 3u) * 8u)) & 255u;
  let d0 = d * (0.5 + f32(steps & 15u)) * 0.25;
  let d1 = d * (0.5 + f32(steps >> 4u)) * 0.25;`;
}

const twoScales = (octet: number): string => (octet < 2 ? "d0" : "d1");

/** Points of four in the bytes of two words, signs by octet. */
function fourWideQuads(index: (quad: number) => string, sign: (octet: number) => string): string {
  return quads(
    (octet, half) =>
      `db * signed_by(point(${index(2 * octet + half)}), ${sign(octet)} >> ${4 * half}u)`,
  );
}

/** Shifts e0..e3 in place of signs. */
function shiftedQuads(scale: (octet: number) => string): string {
  return quads(
    (octet, half) =>
      `${scale(octet)} * (numbers(p${octet} >> ${8 * half}u) + vec4<f32>(select(0.125, -0.125, s${octet} != 0u)))`,
  );
}

export const latticeFormats: Readonly<Record<LatticeType, Format>> = {
  IQ3_XXS: {
    ...unit,
    functions: fourWide("IQ3_XXS"),
    body: `${place(24)}
  let i0 = word(block + g * 2u);
  let i1 = word(block + g * 2u + 1u);
  let s = word(block + 16u + g);
  let db = d * (0.5 + f32(s >> 28u)) * 0.5;
  ${fourWideQuads(
    (quad) => byteOf(quad < 4 ? "i0" : "i1", quad & 3),
    (octet) => `even((s >> ${7 * octet}u) & 127u)`,
  )}`,
  },
  IQ3_S: {
    ...unit,
    functions: fourWide("IQ3_S"),
    body: `${place(27)}
  let i0 = word(block + g * 2u);
  let i1 = word(block + g * 2u + 1u);
  let high = word(block + 16u + (g >> 2u)) >> ((g & 3u) * 8u);
  let s = word(block + 18u + g);
  let db = d * f32(1u + 2u * ((word(block + 26u) >> (g * 4u)) & 15u));
  ${fourWideQuads(
    (quad) => `${byteOf(quad < 4 ? "i0" : "i1", quad & 3)} | (((high >> ${quad}u) & 1u) << 8u)`,
    (octet) => byteOf("s", octet),
  )}`,
  },
  IQ2_XXS: {
    ...unit,
    functions: eightWide("IQ2_XXS", unevenLevels),
    body: `${place(16)}
  let i = word(block + g * 2u);
  let s = word(block + g * 2u + 1u);
  let db = d * (0.5 + f32(s >> 28u)) * 0.25;
  ${pointsOf(
    (octet) => byteOf("i", octet),
    (octet) => `even((s >> ${7 * octet}u) & 127u)`,
  )}
  ${signedQuads(() => "db")}`,
  },
  IQ2_XS: {
    ...unit,
    functions: eightWide("IQ2_XS", unevenLevels),
    body: `${place(18)}
  let c0 = word(block + g * 2u);
  let c1 = word(block + g * 2u + 1u);
  ${nibbleScales("word(block + 16u + (g >> 2u))")}
  ${pointsOf(
    (octet) => `(c${octet >> 1} >> ${16 * (octet & 1)}u) & 511u`,
    (octet) => `even((c${octet >> 1} >> ${16 * (octet & 1) + 9}u) & 127u)`,
  )}
  ${signedQuads(twoScales)}`,
  },
  IQ2_S: {
    ...unit,
    functions: eightWide("IQ2_S", unevenLevels),
    body: `${place(20)}
  let i = word(block + g);
  let s = word(block + 8u + g);
  let high = word(block + 16u + (g >> 2u)) >> ((g & 3u) * 8u);
  ${nibbleScales("word(block + 18u + (g >> 2u))")}
  ${pointsOf(
    (octet) => `${byteOf("i", octet)} | (((high >> ${2 * octet}u) & 3u) << 8u)`,
    (octet) => byteOf("s", octet),
  )}
  ${signedQuads(twoScales)}`,
  },
  IQ1_S: {
    ...unit,
    functions: eightWide("IQ1_S", ternaryLevels),
    body: `${place(12)}
  let i = word(block + g);
  let high = word(block + 8u + (g >> 1u)) >> ((g & 1u) * 16u);
  let db = d * f32(1u + 2u * ((high >> 12u) & 7u));
  ${pointsOf(
    (octet) => `${byteOf("i", octet)} | (((high >> ${3 * octet}u) & 7u) << 8u)`,
    () => "high & 0x8000u",
  )}
  ${shiftedQuads(() => "db")}`,
  },
  IQ1_M: {
    ...unit,
    functions: eightWide("IQ1_M", ternaryLevels),
    body: `let b = u >> 3u; let g = u & 7u;
  let block = row * 4u + b * 14u;
  let i = word(block + g);
  let high = word(block + 8u + (g >> 1u)) >> ((g & 1u) * 16u);
  let t0 = word(block + 12u);
  let t1 = word(block + 13u);
  let d = unpack2x16float(((t0 >> 12u) & 15u) | ((t0 >> 24u) & 0xf0u) | ((t1 >> 4u) & 0xf00u) | ((t1 >> 16u) & 0xf000u)).x;
  let steps = select(t0, t1, g >= 4u) >> (((g >> 1u) & 1u) * 16u + (g & 1u) * 6u);
  let d0 = d * f32(1u + 2u * (steps & 7u));
  let d1 = d * f32(1u + 2u * ((steps >> 3u) & 7u));
  ${pointsOf(
    (octet) => `${byteOf("i", octet)} | (((high >> ${4 * octet}u) & 7u) << 8u)`,
    (octet) => `high & ${8 * 16 ** octet}u`,
  )}
  ${shiftedQuads(twoScales)}`,
  },
};
