/**
 * Seeded data of the cases. Inputs and scoring rows are made of eight orthogonal ±1 patterns, so that every score of a
 * sparse method is near +A or −A and never near its threshold: no correct backend can judge a neuron otherwise.
 */
import { createRandom, type Random } from "../../core/random.ts";

/** Walsh functions of the low three bits of i: Σ_i P_j(i)·P_k(i) = 0 for j ≠ k over any multiple of 8. */
export const patternCount = 8;

export function pattern(k: number, i: number): number {
  const bits = k & i & 7;
  return ((bits ^ (bits >> 1) ^ (bits >> 2)) & 1) === 0 ? 1 : -1;
}

/** Share of each pattern in an input: eight of them add up to a root mean square of 1. */
const patternShare = 1 / Math.sqrt(patternCount);

export interface CaseData {
  readonly random: Random;
  /** Normal numbers times `scale`. */
  normal(length: number, scale?: number): Float32Array;
  /** Rows of x [rows, columns]: each pattern with sign + or −, at random, and a little noise. */
  inputs(rows: number, columns: number): Float32Array;
  /** Rows of a matrix whose product with an input is `size` times the sign of one of its patterns, ± 10 % or so. */
  scoring(rows: number, columns: number, size: number): Float32Array;
}

export function createCaseData(seed: number): CaseData {
  const random = createRandom(seed);
  const normal = (length: number, scale = 1): Float32Array =>
    new Float32Array(length).map(() => scale * random.normal());
  return {
    random,
    normal,
    inputs: (rows, columns) => {
      const x = normal(rows * columns, 0.1);
      for (let row = 0; row < rows; row++) {
        for (let k = 0; k < patternCount; k++) {
          const share = random.uniform() < 0.4 ? patternShare : -patternShare;
          for (let i = 0; i < columns; i++) x[row * columns + i]! += share * pattern(k, i);
        }
      }
      return x;
    },
    scoring: (rows, columns, size) => {
      const amplitude = size / (columns * patternShare);
      const w = normal(rows * columns, 0.25 * amplitude);
      for (let row = 0; row < rows; row++) {
        const k = random.integer(patternCount);
        for (let i = 0; i < columns; i++) w[row * columns + i]! += amplitude * pattern(k, i);
      }
      return w;
    },
  };
}
