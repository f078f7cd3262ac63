/** What the lowering of every op works with: where slots, weights and the cache lie. */
import type { Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { opsOfKind } from "../../ops/program-ops.ts";
import type { BufferSpec, KernelCall } from "./kernel.ts";
import type { RecordingBuffers } from "./recording-buffers.ts";

export interface Lowering {
  readonly program: Program;
  readonly buffers: RecordingBuffers;
  readonly step: BufferSpec;
  /** By layer of the cache; undefined for a layer without keys and values. */
  readonly keys: readonly (BufferSpec | undefined)[];
  readonly values: readonly (BufferSpec | undefined)[];
  /** By layer of the cache; undefined for a layer without a state of fixed size. */
  readonly states: readonly (BufferSpec | undefined)[];
  slot(slot: Slot): BufferSpec;
  /** A slot has at most so many rows. */
  maxRows(rows: Slot["rows"]): number;
  emit(...calls: readonly KernelCall[]): void;
}

export function extentOf(rows: Slot["rows"]): "rows" | "outputs" {
  return rows === "step" ? "rows" : "outputs";
}

/** Neurons of the program's largest block: all blocks share buffers of its size. */
export function maxNeurons(program: Program): number {
  const counts = opsOfKind(program, "ffn").map(
    ({ block: { subset, neurons } }) => subset?.length ?? neurons,
  );
  return Math.max(0, ...counts);
}
