/** Codes that are indexes into a book of sixteen values (quant/book.ts): IQ4_NL, IQ4_XS, MXFP4, NVFP4. */
import type { WeightType } from "../../../core/dtype.ts";
import { denseBook, floatBook } from "../../../quant/book.ts";
import { type Format, nibbleQuads } from "./decode-format.ts";

/** Sixteen bytes as four words, each raised by 128: a book in registers, where an array may cost memory reads. */
const bookWords = [0, 4, 8, 12].map((first) =>
  denseBook.slice(first, first + 4).reduce((word, value, i) => word + (value + 128) * 256 ** i, 0),
);

const denseBookCode = /* wgsl */ `
fn dense(code: vec4<u32>) -> vec4<f32> {
  let is_odd = (code & vec4<u32>(4u)) != vec4<u32>(0u);
  let low = select(vec4<u32>(${bookWords[0]}u), vec4<u32>(${bookWords[1]}u), is_odd);
  let high = select(vec4<u32>(${bookWords[2]}u), vec4<u32>(${bookWords[3]}u), is_odd);
  let words = select(low, high, code >= vec4<u32>(8u));
  return whole((words >> ((code & vec4<u32>(3u)) << vec4<u32>(3u))) & vec4<u32>(255u), 128.0);
}`;

/** The magnitudes of the float book, a nibble each. */
const magnitudes = floatBook.slice(0, 8).reduce((word, value, i) => word + value * 16 ** i, 0);

const floatBookCode = /* wgsl */ `
fn float4bits(code: vec4<u32>) -> vec4<f32> {
  let size = (vec4<u32>(${magnitudes}u) >> ((code & vec4<u32>(7u)) << vec4<u32>(2u))) & vec4<u32>(15u);
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(whole(size, 0.0)) | ((code & vec4<u32>(8u)) << vec4<u32>(28u)));
}`;

export const bookFormats: Readonly<
  Record<Extract<WeightType, "IQ4_NL" | "IQ4_XS" | "MXFP4" | "NVFP4">, Format>
> = {
  IQ4_NL: {
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    functions: denseBookCode,
    body: `let d = half((row * 4u + shape.plane1) * 2u + u);
  ${nibbleQuads((code) => `d * dense(${code})`)}`,
  },
  IQ4_XS: {
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    functions: denseBookCode,
    body: `let at = row * 4u + shape.plane1 + (u >> 3u) * 2u;
  let head = word(at);
  let g = u & 7u;
  let step = ((word(at + 1u) >> (4u * g)) & 15u) | (((head >> (16u + 2u * g)) & 3u) << 4u);
  let d = unpack2x16float(head).x * (f32(step) - 32.0);
  ${nibbleQuads((code) => `d * dense(${code})`)}`,
  },
  MXFP4: {
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    functions: floatBookCode,
    body: `let e = (word(row * 4u + shape.plane1 + (u >> 2u)) >> ((u & 3u) * 8u)) & 255u;
  // 2^(e - 128); the two smallest are no normal numbers.
  let d = bitcast<f32>(select((e - 1u) << 23u, 0x00200000u << e, e < 2u));
  ${nibbleQuads((code) => `d * float4bits(${code})`)}`,
  },
  NVFP4: {
    // Unit = two groups of 16 columns: a group's first eight are the low nibbles of its two words.
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    functions: `${floatBookCode}
fn e4m3_half(byte: u32) -> f32 {
  let mantissa = byte & 7u;
  let exponent = (byte >> 3u) & 15u;
  let normal = bitcast<f32>(((exponent + 119u) << 23u) | (mantissa << 20u));
  let value = select(normal, f32(mantissa) * 0.0009765625, exponent == 0u);
  return select(value, 0.0, byte == 127u);
}`,
    body: `let scales = word(row * 4u + shape.plane1 + (u >> 1u)) >> ((u & 1u) * 16u);
  let d0 = e4m3_half(scales & 255u);
  let d1 = e4m3_half((scales >> 8u) & 255u);
  return array<vec4<f32>, 8>(
    ${[groupQuads("d0", "x", "y"), groupQuads("d1", "z", "w")].join(",\n    ")});`,
  },
};

/** Four quads of a group of 16: the low nibbles of two words, then the high ones. */
function groupQuads(scale: string, first: string, second: string): string {
  const words = [`v.${first}`, `v.${second}`, `v.${first} >> 4u`, `v.${second} >> 4u`];
  return words.map((word) => `${scale} * float4bits(nibbles(${word}))`).join(",\n    ");
}
