/** Runs a program on the reference together with the bounds of every slot: what a backend must give, and how nearly. */
import type { Op, Slot } from "../../ops/op.ts";
import type { Program, Step } from "../../ops/program.ts";
import { createPacer } from "../reference/pacer.ts";
import { opRows, runOp } from "../reference/run-op.ts";
import { createReferenceState, rowsOf } from "../reference/state.ts";
import type { Arithmetic } from "../tolerance.ts";
import { attentionBound, storeKvBound } from "./bound-attention.ts";
import { ffnBound } from "./bound-ffn.ts";
import * as rows from "./bound-rows.ts";
import { type Bounded, type BoundState, createBoundState, slotErrors } from "./bound-state.ts";
import { inputRounder } from "./rounded-input.ts";

export interface BoundedRun {
  write(slot: Slot, data: Float32Array): void;
  run(segment: number, step: Step): void;
  copySequence(from: number, to: number, length: number): void;
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
  return {
    write: (slot, data) => {
      reference.slots[slot.id]!.set(data);
      slotErrors(state, slot).fill(0, 0, data.length);
    },
    run: (segment, step) => {
      for (const op of program.segments[segment]!.ops) runBounded(op, state, step);
    },
    copySequence: (from, to, length) => {
      const { kv } = reference;
      kv.copySequence(from, to, length);
      for (const errors of [...state.keyErrors, ...state.valueErrors]) {
        errors.copyWithin(kv.offset(to, 0), kv.offset(from, 0), kv.offset(from, length));
      }
    },
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

/** Bounds first: they read the inputs, which the op may overwrite. */
function runBounded(op: Op, state: BoundState, step: Step): void {
  const count = opRows(op, step);
  const range = { step, first: 0, end: count };
  if (op.kind === "store-kv") {
    runOp(op, state.reference, range, () => {});
    storeKvBound(op, state, step);
    return;
  }
  const bound = rowBound(op, state, step);
  const made = Array.from({ length: count }, (_, row) => bound(row));
  runOp(op, state.reference, range, () => {});
  const out = op.kind === "rope" ? op.x : op.out;
  for (const [row, errors] of made.entries()) slotErrors(state, out).set(errors, row * out.width);
}

function rowBound(
  op: Exclude<Op, { kind: "store-kv" }>,
  state: BoundState,
  step: Step,
): rows.RowBound {
  switch (op.kind) {
    case "embed":
      return rows.embedBound(op, state, step);
    case "norm":
      return rows.normBound(op, state);
    case "matmul":
      return rows.matmulBound(op, state);
    case "rope":
      return rows.ropeBound(op, state, step);
    case "attention":
      return attentionBound(op, state, step);
    case "activate":
      return rows.activateBound(op, state);
    case "ffn":
      return ffnBound(op, state);
    case "mask":
      return rows.maskBound(op, state);
    case "add":
      return rows.addBound(op, state);
    case "copy":
      return rows.copyBound(op, state);
    case "select":
      return rows.selectBound(op, state, step);
    case "argmax":
      return rows.argmaxBound(op, state);
    case "top-k":
      return rows.topKBound(op, state);
    default:
      return op satisfies never;
  }
}
