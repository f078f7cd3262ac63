/** How much work a call is for a step, in one number: what submissions are cut by, and what tests count. */
import type { Bytes } from "../../core/units.ts";
import type { KernelCall } from "./kernel.ts";
import type { RunShape } from "./run-shape.ts";

/** What a call reads of weights and of the cache, and what it computes. Calls that move single rows have none. */
export interface Work {
  /** Read once for every `rows` rows of the step. */
  readonly bytes: Bytes;
  readonly rows: number;
  /** Of all neurons, but only those on a list are read. */
  readonly isListed?: true;
  /** Multiply-adds of a row. */
  readonly products: number;
  /** Both again for each position of the context, at most so many of them (attention). */
  readonly ofPositions?: number;
}

/**
 * Multiply-adds that a card does while it reads a byte, in kernels of f32: 8 T/s beside 1 TB/s (RTX 4090, a fifth of its
 * peak), 0.3 T/s beside 60 GB/s (integrated).
 */
const productsPerByte = 8;

/** `listed`: share of the neurons that are on the list of a tile of rows. */
export function bytesRead({ work, groups }: KernelCall, shape: RunShape, listed = 1): Bytes {
  if (work === undefined) return 0;
  const reads = Math.ceil(rowsOf(groups, shape) / work.rows);
  const share = work.isListed ? listed : 1;
  return work.bytes * reads * share * positionsOf(work, shape);
}

/** If all neurons are active: the larger of bytes and multiply-adds, the latter counted as the bytes that a card reads meanwhile. */
export function workOf(call: KernelCall, shape: RunShape): Bytes {
  const { work, groups } = call;
  if (work === undefined) return 0;
  const products = work.products * rowsOf(groups, shape) * positionsOf(work, shape);
  return Math.max(bytesRead(call, shape), products / productsPerByte);
}

function positionsOf({ ofPositions }: Work, { longest }: RunShape): number {
  return ofPositions === undefined ? 1 : Math.min(ofPositions, longest);
}

/** Calls with work have the rows that they serve as their grid's y. */
function rowsOf([, y]: KernelCall["groups"], shape: RunShape): number {
  const of = y.kind === "tiles" ? y.of : y.kind;
  return of === "outputs" ? shape.outputs : shape.rows;
}
