/** Whether a slot's value is still needed: a fusion leaves out a value that nothing reads later. */
import type { Op, Slot } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { slotOverwritten, slotsRead } from "../../ops/slot-access.ts";

/** Whether anybody may read the slot's value after op `from` of the segment, before it is overwritten. */
export function isReadLater(
  program: Program,
  at: { readonly segment: number; readonly from: number },
  slot: Slot,
): boolean {
  const segment = program.segments[at.segment];
  if (segment === undefined) return false;
  const rest = firstUse(segment.ops.slice(at.from), slot);
  if (rest !== "none") return rest === "read";
  if (segment.outputs.includes(slot)) return true;
  return program.segments.some(
    (other, i) =>
      i !== at.segment && (firstUse(other.ops, slot) === "read" || other.outputs.includes(slot)),
  );
}

function firstUse(ops: readonly Op[], slot: Slot): "read" | "overwritten" | "none" {
  for (const op of ops) {
    if (slotsRead(op).includes(slot)) return "read";
    if (slotOverwritten(op) === slot) return "overwritten";
  }
  return "none";
}
