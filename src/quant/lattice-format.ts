/** What a lattice type is, and the parts of its blocks: lattice.ts reads and writes them. */
import type { WeightType } from "../core/dtype.ts";
import type { Grid } from "./grids.ts";

export const blockElements = 256;
/** Elements of one byte of signs, or of one shift. */
export const octet = 8;

/** The parts of a block, whatever its bytes are. */
export interface LatticeParts {
  /** A binary16 as a number. */
  d: number;
  /** [256 / scaleElements]. */
  readonly steps: Uint8Array;
  /** Indexes into the grid: [256 / width]. */
  readonly points: Uint16Array;
  /** [32], one for eight elements. Signed grids: bit i is set where element i is negative. Shifted ones: 1 for -1/8. */
  readonly signs: Uint8Array;
}

export interface LatticeFormat {
  readonly type: WeightType;
  readonly blockBytes: number;
  readonly grid: Grid;
  /** "even": of eight elements an even number is negative. "shift": of 16 or 32 elements, see above. */
  readonly signs: "free" | "even" | "shift";
  /** Points that must have the same shift; 1 for signed grids. */
  readonly shiftPoints?: number;
  readonly scaleElements: 16 | 32;
  readonly largestStep: number;
  /** The scale of a step, in units of d. */
  factor(step: number): number;
  unpack(source: Uint8Array, at: number, parts: LatticeParts): void;
  pack(parts: LatticeParts, target: Uint8Array, at: number): void;
}
