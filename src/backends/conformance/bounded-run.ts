/** Runs a program on the reference together with the bounds of every slot: what a backend must give, and how nearly. */

import { type ByKind, functionFor } from "../../ops/by-kind.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { Program, Step } from "../../ops/program.ts";
import { slotWritten } from "../../ops/slot-access.ts";
import { copyCells } from "../reference/kv-cache.ts";
import { createPacer } from "../reference/pacer.ts";
import { copyStates } from "../reference/recurrent-state.ts";
import { opRows, runOp } from "../reference/run-op.ts";
import { createReferenceState, rowsOf } from "../reference/state.ts";
import type { Arithmetic } from "../tolerance.ts";
import { attentionBound, storeKvBound } from "./bound-attention.ts";
import { expertsBound, routeBound } from "./bound-experts.ts";
import { ffnBound, predictBound } from "./bound-ffn.ts";
import { convolveBound, copyStateErrors, deltaRuleBound } from "./bound-recurrent.ts";
import * as rows from "./bound-rows.ts";
import { type Bounded, type BoundState, createBoundState, slotErrors } from "./bound-state.ts";
import { inputRounder } from "./rounded-input.ts";

export interface BoundedRun {
  write(slot: Slot, data: Float32Array): void;
  run(segment: number, step: Step): void;
  copySequence(from: number, to: number, length: number): void;
  saveState(sequence: number, slot: number): void;
  restoreState(slot: number, sequence: number): void;
  /** Copies of the slot's rows. */
  output(slot: Slot, step: Step): Bounded;
  /** Neurons so far that lay too near to a threshold to judge. */
  uncertainNeurons(): number;
}

export async function createBoundedRun(
  program: Program,
  arithmetic: Arithmetic,
): Promise<BoundedRun> {
  const reference = await createReferenceState(
    program,
    {},
    { pacer: createPacer(), roundInput: inputRounder(arithmetic) },
  );
  const state = createBoundState(reference, arithmetic);
  const { kv } = reference;
  const copyRecurrent = (from: number, to: number): void => {
    copyStates(reference.recurrent, from, to);
    copyStateErrors(state, from, to);
  };
  const copyPlace = (from: number, to: number): void => {
    copyRecurrent(from, to);
    kv.copyPlace(from, to);
    for (const [layer, own] of kv.layers.entries()) {
      if (own !== undefined && Math.max(from, to) < own.places) {
        copyErrors(state, layer, { from, to, cells: own.cells });
      }
    }
  };
  return {
    write: (slot, data) => {
      reference.slots[slot.id]!.set(data);
      slotErrors(state, slot).fill(0, 0, data.length);
    },
    run: (segment, step) => {
      for (const op of program.segments[segment]!.ops) runBounded(op, state, step);
    },
    copySequence: (from, to, length) => {
      copyRecurrent(from, to);
      kv.copySequence(from, to, length);
      for (const [layer, own] of kv.layers.entries()) {
        if (own === undefined) continue;
        copyErrors(state, layer, { from, to, cells: Math.min(length, own.cells) });
      }
    },
    saveState: (sequence, slot) => copyPlace(sequence, program.kv.sequences + slot),
    restoreState: (slot, sequence) => copyPlace(program.kv.sequences + slot, sequence),
    output: (slot, step) => {
      const length = rowsOf(slot, step) * slot.width;
      return {
        values: reference.slots[slot.id]!.slice(0, length),
        errors: slotErrors(state, slot).slice(0, length),
      };
    },
    uncertainNeurons: () => state.uncertain.count,
  };
}

/** Of the keys and values of a layer, as copyCells copies them. */
function copyErrors(
  state: BoundState,
  layer: number,
  copy: { readonly from: number; readonly to: number; readonly cells: number },
): void {
  const own = state.reference.kv.layers[layer]!;
  copyCells(state.keyErrors[layer]!, own.keys, copy);
  copyCells(state.valueErrors[layer]!, own.values, copy);
}

/** Bounds first: they read the inputs, which the op may overwrite. What the cache holds is bounded once it is rounded. */
function runBounded(op: Op, state: BoundState, step: Step): void {
  const count = opRows(op, step);
  const range = { step, first: 0, end: count };
  const bound = functionFor(bounds, op)(op, state, step);
  const out = slotWritten(op);
  const made = Array.from({ length: out === undefined ? 0 : count }, (_, row) => bound(row));
  runOp(op, state.reference, range, () => {});
  if (op.kind === "store-kv") storeKvBound(op, state, step);
  if (out === undefined) return;
  for (const [row, errors] of made.entries()) slotErrors(state, out).set(errors, row * out.width);
}

const bounds: ByKind<readonly [BoundState, Step], rows.RowBound> = {
  embed: rows.embedBound,
  norm: rows.normBound,
  matmul: rows.matmulBound,
  rope: rows.ropeBound,
  "store-kv": () => () => new Float64Array(),
  attention: attentionBound,
  convolve: convolveBound,
  "delta-rule": deltaRuleBound,
  activate: rows.activateBound,
  ffn: ffnBound,
  predict: predictBound,
  route: routeBound,
  experts: expertsBound,
  mask: rows.maskBound,
  add: rows.addBound,
  scale: rows.scaleBound,
  copy: rows.copyBound,
  part: rows.partBound,
  select: rows.selectBound,
  argmax: rows.argmaxBound,
  "top-k": rows.topKBound,
};
