/** What memory a model takes where the processor runs it, from its header. */
import type { Bytes } from "../core/units.ts";
import type { Program } from "../ops/program.ts";
import { programOf } from "./program-of.ts";
import { cacheBytes } from "./resolve-options.ts";
import type { SparseSetup } from "./resolve-sparsity.ts";

/** Weights of all parts, the caches of all sequences with their checkpoints, and the buffers of a step. */
export function neededMemory(setup: SparseSetup): Bytes {
  const { model, options } = setup;
  const weights = model.gguf.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const { program } = programOf(setup, { output: "logits" });
  return weights + cacheBytes(model, options) + bufferBytes(program);
}

/** Of the slots, f32, for the longest step; a backend that lets slots share memory takes less. */
function bufferBytes({ slots, maxRows, maxOutputs }: Program): Bytes {
  const rowsOf = { step: maxRows, outputs: maxOutputs };
  return slots.reduce((sum, { width, rows }) => sum + 4 * width * rowsOf[rows], 0);
}
