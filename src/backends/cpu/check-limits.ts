/**
 * What native code must be able to trust beside the shapes that ops/check-program.ts judges: the limits of its kernels.
 * Native code checks nothing.
 */
import { ShapeError, UnsupportedError } from "../../core/errors.ts";
import { checkProgram } from "../../ops/check-program.ts";
import { cellsOf, type KvCells } from "../../ops/kv-shape.ts";
import type { Program } from "../../ops/program.ts";

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
  const layers = kv.layers.flatMap((_, layer) => cellsOf(kv, layer) ?? []);
  const ofLayers = layers.flatMap(({ kvHeads, keyWidth, valueWidth, cells }) => [
    kvHeads,
    keyWidth,
    valueWidth,
    cells,
  ]);
  const counts = [program.maxRows, maxOutputs, kv.contextLength, kv.sequences, ...ofLayers];
  if (!counts.every(isCount) || program.maxRows > maxRows) {
    throw new ShapeError("program", `whole counts, at most ${maxRows} rows`, counts.join(", "));
  }
  for (const slot of program.slots) {
    if (!isCount(slot.width))
      throw new ShapeError("slot", `a width of ${slot.name}`, `${slot.width}`);
  }
  for (const layer of layers) checkCells(layer);
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0;
}

function checkCells({ keyWidth, valueWidth, type }: KvCells): void {
  const widest = Math.max(keyWidth, valueWidth);
  if (widest > maxHeadDim) {
    throw new UnsupportedError(`a head of ${widest} elements`, [`up to ${maxHeadDim}`]);
  }
  const odd = [keyWidth, valueWidth].find((width) => width % q8Block !== 0);
  if (type === "q8_0" && odd !== undefined) {
    throw new UnsupportedError(
      `a q8_0 cache for heads of ${odd} elements`,
      ["f16", "f32"],
      `q8_0 needs a multiple of ${q8Block}`,
    );
  }
}
