/** A layer's block, or experts, on several devices: what each has of it, and what each has to do. */
import type { PromptPath } from "../../backends/executable-report.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { Action } from "./actions.ts";
import type { DeviceProgram } from "./device-program.ts";
import type { PlacedOp } from "./placed-op.ts";

/** The units of each device: `own` are those of the device with the layer's attention. */
export interface Share {
  readonly own: Uint32Array;
  readonly sides: readonly { readonly device: DeviceProgram; readonly units: Uint32Array }[];
  /** The main device predicts for all. */
  readonly isPredictedOnce: boolean;
}

/** A split block until its sum is wanted: its main device is the one with the layer's attention. */
export interface PendingMerge {
  readonly layer: number;
  readonly name: string;
  readonly main: DeviceProgram;
  readonly sides: readonly Side[];
  readonly out: Slot;
}

/** Another device's share of the block. */
export interface Side {
  readonly device: DeviceProgram;
  readonly ops: readonly Op[];
  readonly transfers: readonly Action[];
  readonly result: Slot;
  /** Its ops when it computes all neurons; undefined where it cannot, or need not. */
  readonly wholeOps: readonly Op[] | undefined;
  /** What the main device computes in its place, on the path that streams; none where it cannot, or need not. */
  readonly streamedOps: readonly Op[];
  /** How the result comes into the block's `out`: beside what is there, or as all there is so far. */
  readonly merge: "add" | "copy";
}

/** Of an action that not every path takes. */
export type RunPaths = Pick<Extract<Action, { readonly kind: "run" }>, "paths" | "unreadOn"> & {
  readonly label?: string;
};

/** All of the paths but some; nothing where that is all. */
export function pathsWithout(
  paths: readonly PromptPath[],
  ...left: readonly (PromptPath | false)[]
): { readonly paths?: readonly PromptPath[] } {
  const others = paths.filter((path) => !left.includes(path));
  return others.length === paths.length ? {} : { paths: others };
}

/**
 * Neurons that a card computes at once, though fewer of them come to it at once: what it has to remember of each row is
 * as wide (32 MiB for 2048 rows).
 */
const streamedNeurons = 4096;

/** A block in parts of its neurons, each added to the one before it; the ids stay those of `units`, whatever they become. */
export function streamedParts(op: PlacedOp, units: Uint32Array): readonly Op[] {
  if (op.kind === "experts" || op.block.down.layout === "columns") return [op];
  const { downBias, ...block } = op.block;
  const parts: Op[] = [];
  for (let first = 0; first < units.length; first += streamedNeurons) {
    const isFirst = first === 0;
    const bias = isFirst && downBias !== undefined ? { downBias } : {};
    const subset = units.subarray(first, first + streamedNeurons);
    parts.push({ ...op, into: isFirst ? op.into : "add", block: { ...block, ...bias, subset } });
  }
  return parts;
}
