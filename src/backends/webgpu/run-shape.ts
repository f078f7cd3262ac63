/** What the dispatches of one run depend on: counts of the step's rows, and how attention goes about them. */
import type { KvShape } from "../../ops/kv-shape.ts";
import type { Program, Step } from "../../ops/program.ts";
import type { ExpertTiling, Extent, KernelCall } from "./kernel.ts";
import { maxParts } from "./kernels/attention.ts";
import { tileRows } from "./kernels/attention-tiles.ts";

/** Reused from run to run: a step allocates nothing. */
export interface RunShape {
  rows: number;
  outputs: number;
  /** Positions of the longest context that a row sees. */
  longest: number;
  splits: number;
  splitLength: number;
  usesTiles: boolean;
}

/** Positions below which a part of the context is not worth a workgroup of its own: two tiles of the kernel. */
const smallestPart = 128;

export function createRunShape(): RunShape {
  return { rows: 0, outputs: 0, longest: 1, splits: 1, splitLength: 1, usesTiles: false };
}

/** A tile is worth its while when it is half full: so many rows, in the layer with the largest tiles. */
export function rowsForTiles({ layers }: KvShape): number {
  let rows = 0;
  for (const layer of layers) {
    if ("keyWidth" in layer) rows = Math.max(rows, tileRows(layer.keyWidth) / 2);
  }
  return rows;
}

export function measureStep(shape: RunShape, step: Step, { kv, maxRows }: Program): void {
  const rows = step.rowCount;
  let longest = 1;
  let runs = 0;
  for (let row = 0; row < rows; row++) {
    longest = Math.max(longest, (step.position[row] ?? 0) + 1);
    if (row === 0 || step.sequence[row] !== step.sequence[row - 1]) runs++;
  }
  shape.rows = rows;
  shape.outputs = step.outputCount;
  shape.longest = longest;
  const half = rowsForTiles(kv);
  // And when its rows see the same keys.
  shape.usesTiles = maxRows >= half && rows >= half && rows >= 4 * runs;
  const useful = Math.ceil(longest / smallestPart);
  shape.splits = Math.max(1, Math.min(useful, Math.floor(maxParts / Math.max(rows, 1))));
  // Whole tiles of 64 positions, as the kernel reads them.
  shape.splitLength = Math.ceil(longest / shape.splits / 64) * 64;
}

export function isWanted({ when, attention }: KernelCall, shape: RunShape): boolean {
  if (when !== undefined) {
    const count = when.of === "rows" ? shape.rows : shape.outputs;
    return count >= when.min && count <= when.max;
  }
  switch (attention) {
    case undefined:
      return true;
    case "rows":
      return !shape.usesTiles;
    case "split":
      return !shape.usesTiles && shape.splits > 1;
    case "tiles":
      return shape.usesTiles;
    default:
      return attention satisfies never;
  }
}

export function extentCount(extent: Extent, shape: RunShape): number {
  switch (extent.kind) {
    case "fixed":
      return extent.count;
    case "rows":
      return Math.ceil(shape.rows / extent.per);
    case "outputs":
      return Math.ceil(shape.outputs / extent.per);
    case "tiles":
      return tileCount(shape[extent.of], extent);
    case "splits":
      return shape.splits;
    default:
      return extent satisfies never;
  }
}

/** Each expert that rows are routed to leaves one tile less than full at most. */
export function tileCount(rows: number, { used, experts, per }: ExpertTiling): number {
  const pairs = rows * used;
  return Math.floor((pairs + Math.min(pairs, experts) * (per - 1)) / per);
}
