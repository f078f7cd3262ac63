/** From an op's kind to the function that computes it, and how many rows the op has in a step. */
import type { Op } from "../../ops/op.ts";
import type { Step } from "../../ops/program.ts";
import { attention, storeKv } from "./attention.ts";
import { ffn } from "./ffn.ts";
import { matmul } from "./matmul.ts";
import { norm } from "./norm.ts";
import { rope } from "./rope.ts";
import { activate, add, argmax, copy, embed, mask, select, topK } from "./rows.ts";
import { type ReferenceState, type RowRange, rowsOf } from "./state.ts";

/** Computes the rows [first, end) of the op. `onFfnRow` hears which neurons an FFN row used. */
export function runOp(
  op: Op,
  state: ReferenceState,
  range: RowRange,
  onFfnRow: (active: Uint32Array) => void,
): void {
  switch (op.kind) {
    case "embed":
      embed(op, state, range);
      break;
    case "norm":
      norm(op, state, range);
      break;
    case "matmul":
      matmul(op, state, range);
      break;
    case "rope":
      rope(op, state, range);
      break;
    case "store-kv":
      storeKv(op, state, range);
      break;
    case "attention":
      attention(op, state, range);
      break;
    case "activate":
      activate(op, state, range);
      break;
    case "ffn":
      ffn(op, state, range, onFfnRow);
      break;
    case "mask":
    case "add":
    case "copy":
    case "select":
    case "argmax":
    case "top-k":
      runElementOp(op, state, range);
      break;
    default:
      op satisfies never;
  }
}

/** The ops that look at elements of a row and have no weights. */
function runElementOp(
  op: Extract<Op, { kind: "mask" | "add" | "copy" | "select" | "argmax" | "top-k" }>,
  state: ReferenceState,
  range: RowRange,
): void {
  switch (op.kind) {
    case "mask":
      mask(op, state, range);
      break;
    case "add":
      add(op, state, range);
      break;
    case "copy":
      copy(op, state, range);
      break;
    case "select":
      select(op, state, range);
      break;
    case "argmax":
      argmax(op, state, range);
      break;
    case "top-k":
      topK(op, state, range);
      break;
    default:
      op satisfies never;
  }
}

export function opRows(op: Op, step: Step): number {
  if (op.kind === "rope") return rowsOf(op.x, step);
  return rowsOf(op.kind === "store-kv" ? op.k : op.out, step);
}
