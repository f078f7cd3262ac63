/**
 * The active set of a block as kernels read it: a list of neurons for each tile of rows that share one (a row alone,
 * sixteen, thirty-two: the union of their sets), and for each row a bit for each neuron, which says whether h is 0 there.
 */
import type { BufferSpec, Condition, ShapeFields } from "../kernel.ts";

/** What the lists of all tile sizes share: a step has one of them. */
export interface ActiveSet {
  /** u32 [tiles, neurons]: ids rising. */
  readonly list: BufferSpec;
  /** u32 [tiles, 2]: how many, and how many rows the tile has. */
  readonly lengths: BufferSpec;
  /** u32 [rows, bitWords(neurons)]. */
  readonly bits: BufferSpec;
  readonly neurons: number;
  readonly of: "rows" | "outputs";
}

/** The lists of steps of so many rows. */
export interface ActiveList extends ActiveSet {
  readonly tileRows: number;
  readonly when: Condition;
}

/** Neurons whose bits a workgroup of the compaction makes, one for each of its threads. */
export const bitsPerGroup = 256;

/** Words of a row's bits: those of whole workgroups. */
export function bitWords(neurons: number): number {
  return Math.ceil(neurons / bitsPerGroup) * (bitsPerGroup / 32);
}

/** What the code below needs of the kernel's uniform. */
export function activeShape({ neurons }: ActiveSet): ShapeFields {
  return { neurons, bit_words: bitWords(neurons) };
}

/** WGSL of the number of active neurons of a tile, of its rows, and of the i-th neuron. */
function activeCount(tile: string): string {
  return `lengths[2u * ${tile}]`;
}

export function activeRows(tile: string): string {
  return `lengths[2u * ${tile} + 1u]`;
}

export function activeNeuron(tile: string, i: string): string {
  return `list[${tile} * shape.neurons + ${i}]`;
}

/** WGSL of whether neuron n is active in row m. */
export function isActive(m: string, n: string): string {
  return `((bits[${m} * shape.bit_words + (${n} >> 5u)] >> (${n} & 31u)) & 1u) == 1u`;
}

/**
 * The places [x, y) of a list whose neurons lie in a piece of a weight that was cut: lists rise, so they are neighbours and
 * no kernel steps over neurons of other pieces. Without a list, the piece's own rows. Uniform: shape.first_row, end_row.
 */
export function activeRange(
  active: ActiveSet | undefined,
  { piece, neurons }: { readonly piece: { readonly rows: number }; readonly neurons: number },
): { readonly functions: string; readonly code: (tile: string) => string } {
  if (active === undefined) {
    return { functions: "", code: () => "vec2<u32>(shape.first_row, shape.end_row)" };
  }
  if (piece.rows === neurons) {
    return { functions: "", code: (tile) => `vec2<u32>(0u, ${activeCount(tile)})` };
  }
  return {
    functions: /* wgsl */ `
fn place_of(tile: u32, n: u32) -> u32 {
  var low = 0u;
  var high = ${activeCount("tile")};
  while (low < high) {
    let middle = (low + high) / 2u;
    if (${activeNeuron("tile", "middle")} < n) { low = middle + 1u; } else { high = middle; }
  }
  return low;
}`,
    code: (tile) =>
      `vec2<u32>(place_of(${tile}, shape.first_row), place_of(${tile}, shape.end_row))`,
  };
}
