/** Every dispatch of a recording is one that the device takes, for the largest step: checked before anything runs. */
import { LimitError } from "../../core/errors.ts";
import type { Program } from "../../ops/program.ts";
import type { Condition, KernelCall } from "./kernel.ts";
import { createRunShape, extentCount, type RunShape } from "./run-shape.ts";

/** @throws LimitError naming the kernel whose grid is too large. */
export function checkGrids(
  calls: readonly KernelCall[],
  program: Program,
  maxGroups: number,
): void {
  // One part of the context: attention.ts bounds their number far below the limit.
  const shape = { ...createRunShape(), rows: program.maxRows, outputs: program.maxOutputs };
  for (const { label, groups, when } of calls) {
    const largest = Math.max(
      ...groups.map((extent) => extentCount(extent, largestOf(shape, when))),
    );
    if (largest <= maxGroups) continue;
    throw new LimitError(
      `the kernel ${label} would take ${largest} workgroups and the graphics card takes ${maxGroups}: ask for a smaller batch, or use device cpu`,
    );
  }
}

/** The largest step that the call is made for. */
function largestOf(shape: RunShape, when: Condition | undefined): RunShape {
  return when === undefined ? shape : { ...shape, [when.of]: Math.min(shape[when.of], when.max) };
}
