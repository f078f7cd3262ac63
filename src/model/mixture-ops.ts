/** The ops of a mixture of experts: how experts are chosen, what they and the shared ones add. */
import type { Op, OpOf, Slot } from "../ops/op.ts";
import type { MixtureWeights, SharedExperts } from "./mixture.ts";
import { ffnBlock, matmulOp } from "./op-makers.ts";
import { nameFor, type SlotTable } from "./slot-table.ts";

type Routing = Pick<MixtureWeights, "logits" | "router" | "used">;

/** The experts that a router chooses for x, and their weights. */
export function routeOps(
  x: Slot,
  { logits, router, used }: Routing,
  of: { readonly slots: SlotTable; readonly name?: string },
): { readonly ops: readonly Op[]; readonly routes: Slot } {
  const { slots, name = "routes" } = of;
  const experts = logits.weight.rows;
  const scores = slots.ofWidth(nameFor(x, `logits of ${name}`), experts, x.rows);
  const routes = slots.ofWidth(nameFor(x, name), 2 * used, x.rows);
  const product = matmulOp({ x, out: scores, into: "assign", linear: logits });
  return { ops: [product, { kind: "route", x: scores, out: routes, router }], routes };
}

/** What the chosen experts give, and the shared ones. */
export function expertOps(
  { stack, shared }: MixtureWeights,
  place: Pick<OpOf<"experts">, "x" | "routes" | "out" | "into"> & {
    readonly layer: number;
    readonly slots: SlotTable;
  },
): readonly Op[] {
  const { layer, slots, ...slotsOfOp } = place;
  const { x, out } = place;
  const experts: Op = { kind: "experts", ...slotsOfOp, stack: { ...stack, layer } };
  if (shared === undefined) return [experts];
  return [experts, ...sharedOps(shared, { layer, slots, x, out })];
}

function sharedOps(
  shared: SharedExperts,
  place: Pick<OpOf<"experts">, "x" | "out"> & { readonly layer: number; readonly slots: SlotTable },
): readonly Op[] {
  const { layer, slots, x, out } = place;
  if (shared.kind === "plain") {
    const block = ffnBlock(layer, { weights: shared.block, downRows: undefined });
    return [{ kind: "ffn", x, out, into: "add", block }];
  }
  const router = { scores: "sigmoid", normalise: false, scale: 1 } as const;
  const routing = { logits: shared.gate, router, used: 1 };
  const { ops, routes } = routeOps(x, routing, { slots, name: "routes to shared experts" });
  const stack = { ...shared.stack, layer };
  return [...ops, { kind: "experts", x, routes, out, into: "add", stack }];
}
