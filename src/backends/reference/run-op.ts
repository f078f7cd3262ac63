/** From an op's kind to the function that computes it, and how many rows the op has in a step. */

import { type ByKind, functionFor } from "../../ops/by-kind.ts";
import type { Op } from "../../ops/op.ts";
import type { Step } from "../../ops/program.ts";
import { rowsOfOp } from "../../ops/slot-access.ts";
import { predict } from "./active-set.ts";
import { attention, storeKv } from "./attention.ts";
import { experts, route } from "./experts.ts";
import { ffn } from "./ffn.ts";
import { matmul } from "./matmul.ts";
import { norm } from "./norm.ts";
import { convolve, deltaRule } from "./recurrent.ts";
import { rope } from "./rope.ts";
import { activate, add, argmax, copy, embed, mask, part, scale, select, topK } from "./rows.ts";
import { type ReferenceState, type RowRange, rowCount } from "./state.ts";

type FfnRowListener = (active: Uint32Array) => void;

const functions: ByKind<readonly [ReferenceState, RowRange, FfnRowListener], void> = {
  embed,
  norm,
  matmul,
  rope,
  "store-kv": storeKv,
  attention,
  convolve,
  "delta-rule": deltaRule,
  activate,
  ffn,
  predict,
  route,
  experts,
  mask,
  add,
  scale,
  copy,
  part,
  select,
  argmax,
  "top-k": topK,
};

/** Computes the rows [first, end) of the op. `onFfnRow` is called with the neurons that an FFN row used. */
export function runOp(
  op: Op,
  state: ReferenceState,
  range: RowRange,
  onFfnRow: FfnRowListener,
): void {
  functionFor(functions, op)(op, state, range, onFfnRow);
}

export function opRows(op: Op, step: Step): number {
  return rowCount(rowsOfOp(op), step);
}
