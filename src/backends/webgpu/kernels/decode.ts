/**
 * WGSL that turns quantised weights into f32, one snippet a format; only F16 has a second one for a feature.
 * A *unit* is what one thread decodes from one 16-byte read; a *quad* is four neighbouring columns. Which quads a
 * unit holds is the format's business (Q4_0: the low nibbles of its bytes, then the high ones).
 * Layouts: the drawings in quant/, regrouped by weight-layout.ts.
 */
import type { WeightType } from "../../../core/dtype.ts";
import { type KernelFeatures, plainFeatures, type ShapeFields } from "../kernel.ts";
import { align, type RowLayout, rowLayout } from "../weight-layout.ts";
import { bookFormats } from "./decode-books.ts";
import { type Format, helpers, nibbleQuads } from "./decode-format.ts";
import { latticeFormats } from "./decode-lattices.ts";
import { smallCodeFormats } from "./decode-small-codes.ts";

export interface WeightCode {
  readonly layout: RowLayout;
  /** vec4<f32> of a unit. */
  readonly quads: number;
  /** Units of a row; the last one of an F32, F16 or BF16 row may reach into its zero padding. */
  readonly units: number;
  /** What `decode` needs of the kernel's uniform. */
  readonly shape: ShapeFields;
  /**
   * Over the binding `w: array<vec4<u32>>`: `fn decode(row: u32, u: u32) -> array<vec4<f32>, quads>` and
   * `fn quad_at(u: u32, q: u32) -> u32`, the index (column / 4) of a unit's quad.
   */
  readonly functions: string;
}

const kScales = /* wgsl */ `
  let head = w[row + b * BLOCKVEC];
  let dm = unpack2x16float(head.x);
  let g0 = p * 2u;
  let s0 = group_scale(head, g0);
  let s1 = group_scale(head, g0 + 1u);
  let d0 = dm.x * s0.x; let m0 = dm.y * s0.y;
  let d1 = dm.x * s1.x; let m1 = dm.y * s1.y;`;

/** get_scale_min_k4 of ggml over the words y, z, w of the block's first 16 bytes: (scale, offset) of a group. */
const groupScale = /* wgsl */ `
fn group_scale(head: vec4<u32>, group: u32) -> vec2<f32> {
  let shift = (group & 3u) * 8u;
  let s = (head.y >> shift) & 255u;
  let m = (head.z >> shift) & 255u;
  if (group < 4u) { return vec2<f32>(f32(s & 63u), f32(m & 63u)); }
  let l = (head.w >> shift) & 255u;
  return vec2<f32>(f32((l & 15u) | ((s >> 6u) << 4u)), f32((l >> 4u) | ((m >> 6u) << 4u)));
}`;

/** Q4_K, Q5_K: unit = 16 bytes of codes: 16 columns of group 2p (quads 0..3) and the same of group 2p + 1. */
const kQuadAt = "(u >> 3u) * 64u + ((u >> 1u) & 3u) * 16u + (u & 1u) * 4u + q + (q & 4u)";

const formats: Readonly<Record<WeightType, Format>> = {
  ...smallCodeFormats,
  ...bookFormats,
  ...latticeFormats,
  F32: {
    quads: 1,
    elements: 4,
    quadAt: "u",
    body: "return array<vec4<f32>, 1>(bitcast<vec4<f32>>(v));",
  },
  F16: {
    quads: 2,
    elements: 8,
    quadAt: "u * 2u + q",
    body: `return array<vec4<f32>, 2>(
    vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y)),
    vec4<f32>(unpack2x16float(v.z), unpack2x16float(v.w)));`,
  },
  BF16: {
    quads: 2,
    elements: 8,
    quadAt: "u * 2u + q",
    body: `let low = bitcast<vec4<f32>>(v << vec4<u32>(16u));
  let high = bitcast<vec4<f32>>(v & vec4<u32>(0xffff0000u));
  return array<vec4<f32>, 2>(vec4<f32>(low.x, high.x, low.y, high.y), vec4<f32>(low.z, high.z, low.w, high.w));`,
  },
  Q8_0: {
    quads: 4,
    elements: 16,
    quadAt: "u * 4u + q",
    body: `let d = half((row * 4u + shape.plane1) * 2u + (u >> 1u));
  return array<vec4<f32>, 4>(d * signed4(v.x), d * signed4(v.y), d * signed4(v.z), d * signed4(v.w));`,
  },
  Q4_0: {
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    body: `let d = half((row * 4u + shape.plane1) * 2u + u);
  ${nibbleQuads((code) => `d * whole(${code}, 8.0)`)}`,
  },
  Q4_1: {
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    body: `let dm = unpack2x16float(word(row * 4u + shape.plane1 + u));
  ${nibbleQuads((code) => `dm.x * whole(${code}, 0.0) + dm.y`)}`,
  },
  Q5_0: {
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    body: `let high = word(row * 4u + shape.plane1 + u);
  let d = half((row * 4u + shape.plane2) * 2u + u);
  ${nibbleQuads((code, q) => `d * whole(${code} | (bits4(high, ${q * 4}u) << vec4<u32>(4u)), 16.0)`)}`,
  },
  Q5_1: {
    quads: 8,
    elements: 32,
    quadAt: "u * 8u + q",
    body: `let high = word(row * 4u + shape.plane1 + u);
  let dm = unpack2x16float(word(row * 4u + shape.plane2 + u));
  ${nibbleQuads((code, q) => `dm.x * whole(${code} | (bits4(high, ${q * 4}u) << vec4<u32>(4u)), 0.0) + dm.y`)}`,
  },
  Q4_K: {
    quads: 8,
    elements: 32,
    quadAt: kQuadAt,
    at: "(u >> 3u) * BLOCKVEC + 1u + (u & 7u)",
    functions: groupScale,
    body: `let b = u >> 3u; let p = (u >> 1u) & 3u;${kScales}
  ${nibbleQuads((code, q) => `d${q >> 2} * whole(${code}, 0.0) - m${q >> 2}`)}`,
  },
  Q5_K: {
    quads: 8,
    elements: 32,
    quadAt: kQuadAt,
    at: "(u >> 3u) * BLOCKVEC + 3u + (u & 7u)",
    functions: groupScale,
    body: `let b = u >> 3u; let p = (u >> 1u) & 3u;${kScales}
  let high = w[row + b * BLOCKVEC + 1u + (u & 1u)];
  ${nibbleQuads((code, q) => {
    const bit = `((bytes4(high[${q & 3}u]) >> vec4<u32>(g0${q < 4 ? "" : " + 1u"})) & vec4<u32>(1u))`;
    return `d${q >> 2} * whole(${code} | (${bit} << vec4<u32>(4u)), 0.0) - m${q >> 2}`;
  })}`,
  },
  Q6_K: {
    // Unit = word j of the low bits of one half (128 columns): four quads, 32 columns apart.
    quads: 4,
    elements: 16,
    quadAt: "(u >> 4u) * 64u + ((u >> 3u) & 1u) * 32u + (u & 7u) + q * 8u",
    at: null,
    body: `let b = u >> 4u; let h = (u >> 3u) & 1u; let j = u & 7u;
  let block = (row + b * BLOCKVEC) * 4u;
  let low0 = word(block + h * 16u + j);
  let low1 = word(block + h * 16u + 8u + j);
  let high = word(block + 32u + h * 8u + j);
  let s0 = signed4(word(block + 48u + h * 2u));
  let s1 = signed4(word(block + 49u + h * 2u));
  let i = j >> 2u;
  let d = half((row * 4u + shape.plane1) * 2u + b);
  let h0 = (bytes4(high) & vec4<u32>(3u)) << vec4<u32>(4u);
  let h1 = (bytes4(high) & vec4<u32>(12u)) << vec4<u32>(2u);
  let h2 = bytes4(high) & vec4<u32>(48u);
  let h3 = (bytes4(high) & vec4<u32>(192u)) >> vec4<u32>(2u);
  return array<vec4<f32>, 4>(
    (d * s0[i]) * whole(nibbles(low0) | h0, 32.0),
    (d * s0[2u + i]) * whole(nibbles(low1) | h1, 32.0),
    (d * s1[i]) * whole(nibbles(low0 >> 4u) | h2, 32.0),
    (d * s1[2u + i]) * whole(nibbles(low1 >> 4u) | h3, 32.0));`,
  },
};

/** Halves as a type of their own, where the device has one. */
const halfFormat: Format = {
  ...formats.F16,
  body: "return array<vec4<f32>, 2>(vec4<f32>(bitcast<vec4<f16>>(v.xy)), vec4<f32>(bitcast<vec4<f16>>(v.zw)));",
};

/**
 * Rows whose units are grouped by eight (weight-layout.ts): quad q of the eight units are neighbours, so that at each
 * step eight threads read one line of x. A unit then has a quad of each block of its group, and needs all scales.
 */
const grouped: Readonly<Partial<Record<WeightType, Format>>> = {
  Q8_0: {
    quads: 4,
    elements: 16,
    quadAt: "(u >> 3u) * 32u + q * 8u + (u & 7u)",
    body: `let at = row * 4u + shape.plane1 + (u >> 3u) * 2u;
  let d0 = unpack2x16float(word(at));
  let d1 = unpack2x16float(word(at + 1u));
  return array<vec4<f32>, 4>(d0.x * signed4(v.x), d0.y * signed4(v.y), d1.x * signed4(v.z), d1.y * signed4(v.w));`,
  },
  Q4_0: {
    quads: 8,
    elements: 32,
    quadAt: "(u >> 3u) * 64u + q * 8u + (u & 7u)",
    body: `let scales = w[row + (shape.plane1 >> 2u) + (u >> 3u)];
  let d0 = unpack2x16float(scales.x);
  let d1 = unpack2x16float(scales.y);
  let d2 = unpack2x16float(scales.z);
  let d3 = unpack2x16float(scales.w);
  ${nibbleQuads((code, q) => `d${q >> 1}.${"xy"[q & 1]} * whole(${code}, 8.0)`)}`,
  },
};

function formatOf({ type, isGrouped }: RowLayout, { halves }: KernelFeatures): Format {
  if (type === "F16" && halves) return halfFormat;
  return (isGrouped ? grouped[type] : undefined) ?? formats[type];
}

export function weightCode(
  type: WeightType,
  columns: number,
  features: KernelFeatures = plainFeatures,
): WeightCode {
  const layout = rowLayout(type, columns);
  const format = formatOf(layout, features);
  const blockVectors = Math.floor((layout.planeStart[1] ?? layout.fileBytes) / layout.blocks / 16);
  const usesBlocks = `${format.body}${format.at ?? ""}`.includes("BLOCKVEC");
  const units = align(columns, format.elements) / format.elements;
  const load = format.at === null ? "" : `let v = w[row + ${format.at ?? "u"}];`;
  return {
    layout,
    quads: format.quads,
    units,
    shape: {
      units,
      quads: format.quads,
      row_vec: layout.gpuBytes / 16,
      plane1: (layout.planeStart[1] ?? 0) / 4,
      plane2: (layout.planeStart[2] ?? 0) / 4,
    },
    functions: `${helpers}${format.functions ?? ""}
${usesBlocks ? `const BLOCKVEC = ${blockVectors}u;` : ""}
fn quad_at(u: u32, q: u32) -> u32 { return ${format.quadAt}; }
// \`row\` is the vec4 at which the row begins: its number times shape.row_vec.
fn decode(row: u32, u: u32) -> array<vec4<f32>, ${format.quads}> {
  ${load}
  ${format.body}
}
`,
  };
}
