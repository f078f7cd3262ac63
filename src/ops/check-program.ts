/**
 * Shapes of a program, judged once before it runs: every slot, weight and method an op names fits the op.
 * Values of a step (tokens, positions, sequences) are not judged here: the caller owns them.
 */
import { ShapeError } from "../core/errors.ts";
import { holdsItsWindow } from "./kv-shape.ts";
import { ruleOf } from "./op-table.ts";
import type { Program } from "./program.ts";
import { opsOf } from "./program-ops.ts";
import { type Requirement, requires } from "./requirement.ts";
import { slotsOf } from "./slot-access.ts";

/** @throws ShapeError naming the op, what fits and what was found. */
export function checkProgram(program: Program): void {
  program.slots.forEach((slot, index) => {
    judge("slot", [requires(slot.id === index, `id ${index} for ${slot.name}`, slot.id)]);
  });
  for (const [layer, own] of program.kv.layers.entries()) {
    const limits = { contextLength: program.kv.contextLength, maxRows: program.maxRows };
    const expected = `a ring for its window and ${program.maxRows} rows, in whole tiles`;
    judge(`layer ${layer}`, [requires(holdsItsWindow(own, limits), expected, own.kind)]);
  }
  const known = new Set(program.slots);
  for (const op of opsOf(program)) {
    for (const slot of slotsOf(op)) {
      judge(op.kind, [requires(known.has(slot), "a slot of the program", slot.name)]);
    }
    judge(op.kind, ruleOf(op).check(op, program.kv));
  }
}

function judge(op: string, requirements: readonly Requirement[]): void {
  const unmet = requirements.find((candidate) => !candidate.isMet);
  if (unmet !== undefined) throw new ShapeError(op, unmet.expected, unmet.found);
}
