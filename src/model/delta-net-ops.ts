/** How much each token leaves of a delta net's state and writes to it, as ops. */
import type { Op, Slot } from "../ops/op.ts";
import type { DeltaNetShape, DeltaNetWeights } from "./delta-net.ts";
import { matmulOp } from "./op-makers.ts";
import type { SlotTable } from "./slot-table.ts";
import type { Linear } from "./weights.ts";

export function stateGateOps(
  x: Slot,
  gates: DeltaNetWeights["gates"],
  { net, slots }: { readonly net: DeltaNetShape; readonly slots: SlotTable },
): { readonly ops: readonly Op[]; readonly decay: Slot; readonly strength: Slot } {
  const { heads, keyHeads } = net;
  const decay = slots.ofWidth("decay", heads);
  const strength = slots.ofWidth("strength", heads);
  const product = (linear: Linear, out: Slot): Op => matmulOp({ x, out, into: "assign", linear });
  if (gates.kind === "apart") {
    const ops = [product(gates.decay, decay), product(gates.strength, strength)];
    return { ops, decay, strength };
  }
  const both = slots.ofWidth("state gates", 2 * heads);
  const part = { kind: "part", x: both, groups: keyHeads } as const;
  const ops: Op[] = [
    product(gates.both, both),
    { ...part, out: strength, first: 0 },
    { ...part, out: decay, first: heads / keyHeads },
  ];
  return { ops, decay, strength };
}
