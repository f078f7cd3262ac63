/**
 * What native code must be able to trust beside the shapes that ops/check-program.ts judges: whose rows an op works
 * on, and the limits of the kernels. Native code checks nothing.
 */
import { ShapeError, UnsupportedError } from "../../core/errors.ts";
import { checkProgram } from "../../ops/check-program.ts";
import type { Op, Slot } from "../../ops/op.ts";
import type { KvShape, Program } from "../../ops/program.ts";
import { opsOf } from "../../ops/program-ops.ts";

/** kMaxHeadDim of native/kernels/kernels.h: an accumulator of this length lies on the stack. */
const maxHeadDim = 512;
/** Elements of a Q8_0 block. */
const q8Block = 32;
/** A chunk number has 24 bits (native/system/thread-pool.h), and a matrix product has at least one chunk per 32 rows. */
const maxRows = 1 << 20;

/** @throws ShapeError or UnsupportedError */
export function checkLimits(program: Program): void {
  checkProgram(program);
  const { kv, maxOutputs } = program;
  const counts = [program.maxRows, maxOutputs, kv.layers, kv.kvHeads, kv.contextLength];
  if (!counts.every(isCount) || program.maxRows > maxRows) {
    throw new ShapeError("program", `whole counts, at most ${maxRows} rows`, counts.join(", "));
  }
  for (const slot of program.slots) {
    if (!isCount(slot.width))
      throw new ShapeError("slot", `a width of ${slot.name}`, `${slot.width}`);
  }
  for (const op of opsOf(program)) checkOp(op, program);
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
}

function checkOp(op: Op, { kv }: Program): void {
  switch (op.kind) {
    case "embed":
      needsStepRows(op.kind, op.out);
      if (op.positions !== undefined) {
        const needed = kv.contextLength + op.positions.offset;
        const { rows } = op.positions.weight;
        if (rows < needed) throw new ShapeError(op.kind, `${needed} position rows`, String(rows));
      }
      break;
    case "rope":
      needsStepRows(op.kind, op.x);
      break;
    case "store-kv":
      needsStepRows(op.kind, op.k);
      checkKv(kv);
      break;
    case "attention":
      needsStepRows(op.kind, op.q);
      checkKv(kv);
      break;
    case "ffn": {
      const { method } = op.block;
      if (method.kind === "mlp" && method.input.rows !== op.x.rows) {
        throw new ShapeError(
          "ffn",
          `a predictor input with rows of ${op.x.rows}`,
          method.input.rows,
        );
      }
      break;
    }
    default:
      break;
  }
}

function needsStepRows(op: string, slot: Slot): void {
  if (slot.rows !== "step") throw new ShapeError(op, "a slot with the rows of the step", slot.name);
}

function checkKv(kv: KvShape): void {
  if (kv.headDim > maxHeadDim) {
    throw new UnsupportedError(`a head of ${kv.headDim} elements`, [`up to ${maxHeadDim}`]);
  }
  if (kv.type === "q8_0" && kv.headDim % q8Block !== 0) {
    throw new UnsupportedError(
      `a q8_0 cache for heads of ${kv.headDim} elements`,
      ["f16", "f32"],
      `q8_0 needs a multiple of ${q8Block}`,
    );
  }
}
