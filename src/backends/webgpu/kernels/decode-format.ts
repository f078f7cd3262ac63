/**
 * What the decoding of a weight format consists of, and the WGSL that all of them call. A *unit* is what one thread
 * decodes at once: 16 or 32 columns, or the elements of 16 bytes; a *quad* is four neighbouring columns.
 */

export interface Format {
  readonly quads: number;
  readonly elements: number;
  /** Index (column / 4) of quad q of unit u. */
  readonly quadAt: string;
  /** Statements; `v` is the unit's 16 bytes. Must end in a return. Planes: p1, p2 = first word of the row's plane. */
  readonly body: string;
  /** vec4<u32> index of the unit in its row; u itself unless said. null: the body reads for itself. */
  readonly at?: string | null;
  /** Functions that the body calls. */
  readonly functions?: string;
}

/** The four bytes of a word, and four nibbles of one (low of each byte; shift by 4 for the high ones). */
export const helpers = /* wgsl */ `
fn bytes4(x: u32) -> vec4<u32> { return (vec4<u32>(x) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u); }
fn nibbles(x: u32) -> vec4<u32> { return (vec4<u32>(x) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u); }
// Codes below 2^23 as f32, by the bits of 2^23 + code: cards convert integers at a quarter of their speed or less.
fn whole(code: vec4<u32>, zero: f32) -> vec4<f32> { return bitcast<vec4<f32>>(code | vec4<u32>(0x4b000000u)) - (8388608.0 + zero); }
fn signed4(x: u32) -> vec4<f32> { return whole(bytes4(x ^ 0x80808080u), 128.0); }
fn bits4(x: u32, shift: u32) -> vec4<u32> { return (vec4<u32>(x >> shift) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u); }
fn word(i: u32) -> u32 { return w[i >> 2u][i & 3u]; }
fn half(i: u32) -> f32 { return unpack2x16float(word(i >> 1u))[i & 1u]; }
`;

/** f32 of codes of the block's low nibbles (quads 0..3) and high nibbles (4..7). */
export function nibbleQuads(make: (nibbles: string, q: number) => string): string {
  const words = ["v.x", "v.y", "v.z", "v.w"];
  const low = words.map((word, q) => make(`nibbles(${word})`, q));
  const high = words.map((word, q) => make(`nibbles(${word} >> 4u)`, q + 4));
  return `return array<vec4<f32>, 8>(\n    ${[...low, ...high].join(",\n    ")});`;
}
