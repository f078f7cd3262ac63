/**
 * The q8_0 cache: a head is blocks of 32 elements, a block nine words: its scale (f32 of the half that ggml stores), then
 * eight quads of signed bytes. A whole word for the scale keeps rows of one step, which are stored at once, out of each other's
 * words: 9 bits an element, where the CPU's blocks take 8.5. Source of the rounding: quant/q8_0.ts.
 */
const blockElements = 32;
const blockWords = 1 + blockElements / 4;

/** Whether heads of `width` elements are whole blocks. */
export function isWholeBlocks(width: number): boolean {
  return width % blockElements === 0;
}

/** Words of a head. */
export function blocksWords(width: number): number {
  return (width / blockElements) * blockWords;
}

/** Blocks of the keys, or values, of one position. */
export function blockCountOf(kvHeads: number, width: number): number {
  return (kvHeads * width) / blockElements;
}

/** WGSL: the quad at `index`, counted in quads, of a binding `array<u32>`. */
export function blockQuad(binding: string, index: string): string {
  const block = `((${index}) >> 3u) * ${blockWords}u`;
  const bytes = `vec4<u32>(${binding}[${block} + 1u + ((${index}) & 7u)])`;
  const codes = `(bitcast<vec4<i32>>(${bytes} << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u))`;
  return `(bitcast<f32>(${binding}[${block}]) * vec4<f32>(${codes}))`;
}

/** `fn store_NAME(row, block, at)`: block `block` of what `fn NAME(row, i)` gives goes to the words from `at` on. */
export function storeBlock(name: string, binding: string): string {
  return /* wgsl */ `
fn store_${name}(row: u32, block: u32, at: u32) {
  var held = array<f32, ${blockElements}>();
  var largest = 0.0;
  for (var i = 0u; i < ${blockElements}u; i++) {
    held[i] = ${name}(row, block * ${blockElements}u + i);
    largest = max(largest, abs(held[i]));
  }
  let scale = largest / 127.0;
  let inverse = select(0.0, 1.0 / scale, scale > 0.0);
  ${binding}[at] = bitcast<u32>(unpack2x16float(half_bits(scale)).x);
  for (var quad = 0u; quad < ${blockElements / 4}u; quad++) {
    var word = 0u;
    for (var i = 0u; i < 4u; i++) {
      let scaled = held[quad * 4u + i] * inverse;
      // To nearest, halves away from zero.
      let code = i32(scaled + select(-0.5, 0.5, scaled >= 0.0));
      word |= (bitcast<u32>(code) & 255u) << (8u * i);
    }
    ${binding}[at + 1u + quad] = word;
  }
}
`;
}
