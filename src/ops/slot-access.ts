/** Which slots an op reads and writes, read off the table of ops: for code that cuts programs apart or fuses ops. */
import type { Op, Slot } from "./op.ts";
import { ruleOf } from "./op-table.ts";

/** Slots whose values the op's result depends on, the one it adds to included. */
export function slotsRead(op: Op): readonly Slot[] {
  const rule = ruleOf(op);
  const written = rule.writes(op);
  const isAddedTo = written !== undefined && rule.addsInto(op);
  return isAddedTo ? [...rule.reads(op), written] : rule.reads(op);
}

/** The slot whose rows the op changes; undefined for an op that fills the cache. */
export function slotWritten(op: Op): Slot | undefined {
  return ruleOf(op).writes(op);
}

/** The slot whose rows the op replaces without regard to what was there. */
export function slotOverwritten(op: Op): Slot | undefined {
  const written = slotWritten(op);
  return written !== undefined && slotsRead(op).includes(written) ? undefined : written;
}

/** Every slot the op names, each once. */
export function slotsOf(op: Op): readonly Slot[] {
  const written = slotWritten(op);
  return [...new Set(written === undefined ? slotsRead(op) : [...slotsRead(op), written])];
}

/** For how many rows the op is computed: those of the slot it writes, else of what it reads. */
export function rowsOfOp(op: Op): Slot["rows"] {
  return (slotWritten(op) ?? ruleOf(op).reads(op)[0])?.rows ?? "step";
}

/** Whether the op adds to the slot and uses it for nothing else: such ops may change places. */
export function addsOnlyTo(op: Op, slot: Slot): boolean {
  const rule = ruleOf(op);
  return rule.addsInto(op) && rule.writes(op) === slot && !rule.reads(op).includes(slot);
}
