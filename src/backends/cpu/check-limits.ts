/**
 * What native code must be able to trust beside the shapes that ops/check-program.ts judges: the limits of its kernels.
 * Native code checks nothing.
 */
import { ShapeError, UnsupportedError } from "../../core/errors.ts";
import { checkProgram } from "../../ops/check-program.ts";
import type { KvShape, Program } from "../../ops/program.ts";

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
  if (kv.layers > 0) checkKv(kv);
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
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
