/**
 * The grids of the lattice types as kernels read them: behind the rows of each weight buffer, so that decoding needs no
 * binding of its own and no array in registers. Points of four numbers are a word, a byte for each number; points of
 * eight are half a word, two bits for the level of each.
 */
import type { WeightType } from "../../core/dtype.ts";
import {
  type Grid,
  iq1sGrid,
  iq2sGrid,
  iq2xsGrid,
  iq2xxsGrid,
  iq3sGrid,
  iq3xxsGrid,
} from "../../quant/grids.ts";

const grids: Readonly<Partial<Record<WeightType, Grid>>> = {
  IQ3_XXS: iq3xxsGrid,
  IQ3_S: iq3sGrid,
  IQ2_XXS: iq2xxsGrid,
  IQ2_XS: iq2xsGrid,
  IQ2_S: iq2sGrid,
  IQ1_S: iq1sGrid,
  IQ1_M: iq1sGrid,
};

/** Bytes of the table of a type, a multiple of 16; 0 for a type without one. */
export function gridBytes(type: WeightType): number {
  const grid = grids[type];
  if (grid === undefined) return 0;
  return (grid.values.length / grid.width) * (grid.width === 4 ? 4 : 2);
}

/** The table; empty for a type without one. */
export function gridTable(type: WeightType): Uint8Array {
  const grid = grids[type];
  if (grid === undefined) return new Uint8Array(0);
  if (grid.width === 4) return Uint8Array.from(grid.values);
  const levels = [...new Set(grid.values)].sort((a, b) => a - b);
  const points = Uint16Array.from({ length: grid.values.length / grid.width }, (_, point) =>
    grid.values
      .subarray(point * grid.width, (point + 1) * grid.width)
      .reduce((bits, value, i) => bits | (levels.indexOf(value) << (2 * i)), 0),
  );
  return new Uint8Array(points.buffer);
}
