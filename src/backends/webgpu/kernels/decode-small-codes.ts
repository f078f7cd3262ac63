/** Codes of one to three bits with scales: Q2_K, Q3_K, TQ1_0, TQ2_0. Layouts: the drawings in quant/. */
import type { WeightType } from "../../../core/dtype.ts";
import type { Format } from "./decode-format.ts";

/**
 * Types with halves of four rows of 32 elements, a byte for an element of each row: unit = 8 of those bytes, in half h
 * from byte 8p. Quads 2r and 2r + 1 are of row r.
 */
const fourRows = {
  quads: 8,
  elements: 32,
  quadAt: "(u >> 3u) * 64u + ((u >> 2u) & 1u) * 32u + (q >> 1u) * 8u + (u & 3u) * 2u + (q & 1u)",
  at: null,
} as const;
const fourRowsPlace = "let b = u >> 3u; let h = (u >> 2u) & 1u; let p = u & 3u;";

/** The quads in order: code(row, word) for the first and the second word of each row. */
function rowQuads(make: (row: number, word: "c0" | "c1") => string): string {
  const quads = [0, 1, 2, 3].flatMap((row) => [make(row, "c0"), make(row, "c1")]);
  return `return array<vec4<f32>, 8>(\n    ${quads.join(",\n    ")});`;
}

function twoBits(word: string, row: number): string {
  return `((bytes4(${word}) >> vec4<u32>(${2 * row}u)) & vec4<u32>(3u))`;
}

/** A power of three up to 81, and the ternary digit that a byte has there; quant/tq1_0.ts says why. */
const ternary = /* wgsl */ `
fn ternary(x: u32, digit: u32) -> vec4<u32> {
  let power = select(1u, 3u, (digit & 1u) != 0u) * select(1u, 9u, (digit & 2u) != 0u) * select(1u, 81u, (digit & 4u) != 0u);
  return (((bytes4(x) * power) & vec4<u32>(255u)) * 3u) >> vec4<u32>(8u);
}`;

export const smallCodeFormats: Readonly<
  Record<Extract<WeightType, "Q2_K" | "Q3_K" | "TQ1_0" | "TQ2_0">, Format>
> = {
  Q2_K: {
    ...fourRows,
    body: `${fourRowsPlace}
  let block = row * 4u + b * 21u;
  let c0 = word(block + 4u + h * 8u + p * 2u);
  let c1 = word(block + 5u + h * 8u + p * 2u);
  let dm = unpack2x16float(word(block + 20u));
  // Scale bytes of the four rows: two words, of which this unit's columns have every second byte.
  let steps = (vec4<u32>(vec2<u32>(word(block + h * 2u)), vec2<u32>(word(block + h * 2u + 1u))) >> (vec4<u32>(0u, 16u, 0u, 16u) + vec4<u32>((p >> 1u) * 8u))) & vec4<u32>(255u);
  let d = dm.x * vec4<f32>(steps & vec4<u32>(15u));
  let m = dm.y * vec4<f32>(steps >> vec4<u32>(4u));
  ${rowQuads((row, word) => `d[${row}] * whole(${twoBits(word, row)}, 0.0) - m[${row}]`)}`,
  },
  Q3_K: {
    ...fourRows,
    body: `${fourRowsPlace}
  let block = row * 4u + b * 27u;
  let h0 = bytes4(word(block + p * 2u)) >> vec4<u32>(h * 4u);
  let h1 = bytes4(word(block + p * 2u + 1u)) >> vec4<u32>(h * 4u);
  let c0 = word(block + 8u + h * 8u + p * 2u);
  let c1 = word(block + 9u + h * 8u + p * 2u);
  let places = vec4<u32>(0u, 16u, 0u, 16u) + vec4<u32>((p >> 1u) * 8u);
  let low = (vec4<u32>(vec2<u32>(word(block + 24u)), vec2<u32>(word(block + 25u))) >> (places + vec4<u32>(h * 4u))) & vec4<u32>(15u);
  let high = (vec4<u32>(word(block + 26u)) >> (places + vec4<u32>(0u, 0u, 2u, 2u) + vec4<u32>(h * 4u))) & vec4<u32>(3u);
  let d = half((row * 4u + shape.plane1) * 2u + b) * whole(low | (high << vec4<u32>(4u)), 32.0);
  ${rowQuads((row, word) => {
    const third = `(((${word === "c0" ? "h0" : "h1"} >> vec4<u32>(${row}u)) & vec4<u32>(1u)) << vec4<u32>(2u))`;
    return `d[${row}] * whole(${twoBits(word, row)} | ${third}, 4.0)`;
  })}`,
  },
  TQ1_0: {
    // Unit = 32 columns. Its quads lie in the words of five rows of 8, five of 4 and four of 1, in this order.
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    at: null,
    functions: `${ternary}
fn ternary_quad(block: u32, part: u32, q: u32) -> vec4<u32> {
  let is_wide = part < 5u;
  let is_last = part == 7u && q >= 4u;
  let at = select(select(8u + (q & 3u), 12u, is_last), q, is_wide);
  let digit = select(select((part - 5u) * 2u + (q >> 2u), q - 4u, is_last), part, is_wide);
  return ternary(word(block + at), digit);
}`,
    body: `let b = u >> 3u;
  let block = row * 4u + b * 13u;
  let d = half((row * 4u + shape.plane1) * 2u + b);
  return array<vec4<f32>, 8>(
    ${[...Array(8).keys()].map((q) => `d * whole(ternary_quad(block, u & 7u, ${q}u), 1.0)`).join(",\n    ")});`,
  },
  TQ2_0: {
    ...fourRows,
    body: `${fourRowsPlace}
  let block = row * 4u + b * 16u + h * 8u + p * 2u;
  let c0 = word(block);
  let c1 = word(block + 1u);
  let d = half((row * 4u + shape.plane1) * 2u + b);
  ${rowQuads((row, word) => `d * whole(${twoBits(word, row)}, 1.0)`)}`,
  },
};
