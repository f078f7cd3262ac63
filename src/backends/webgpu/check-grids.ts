/** Every dispatch of a recording is one that the device takes, for the largest step: checked before anything runs. */
import { LimitError } from "../../core/errors.ts";
import type { Program } from "../../ops/program.ts";
import type { Extent, KernelCall } from "./kernel.ts";

/** @throws LimitError naming the kernel whose grid is too large. */
export function checkGrids(
  calls: readonly KernelCall[],
  program: Program,
  maxGroups: number,
): void {
  for (const { label, groups } of calls) {
    const largest = Math.max(...groups.map((extent) => largestCount(extent, program)));
    if (largest <= maxGroups) continue;
    throw new LimitError(
      `the kernel ${label} would take ${largest} workgroups and the graphics card takes ${maxGroups}: ask for a smaller batch, or use device cpu`,
    );
  }
}

function largestCount(extent: Extent, { maxRows, maxOutputs }: Program): number {
  switch (extent.kind) {
    case "fixed":
      return extent.count;
    case "rows":
      return Math.ceil(maxRows / extent.per);
    case "outputs":
      return Math.ceil(maxOutputs / extent.per);
    case "splits":
      // attention.ts bounds them far below the limit.
      return 1;
    default:
      return extent satisfies never;
  }
}
