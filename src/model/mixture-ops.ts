/** The ops of a mixture of experts: how experts are chosen, what they and the shared ones add. */
import type { Op, OpOf, Slot } from "../ops/op.ts";
import type { MixtureWeights, NormedBlock, SharedExperts } from "./mixture.ts";
import { ffnBlock, matmulOp, normOp } from "./op-makers.ts";
import { nameFor, type SlotTable } from "./slot-table.ts";

/** What experts are given besides x. */
export interface ExpertInputs {
  /** Absent: the router reads x, too. */
  readonly routes?: Slot;
  /** For a block that does not read x. */
  readonly blockInput?: Slot;
}

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
  const { scale: factor = 1 } = logits;
  const ops: Op[] = [matmulOp({ x, out: scores, into: "assign", linear: logits })];
  if (factor !== 1) ops.push({ kind: "scale", x: scores, out: scores, factor });
  return { ops: [...ops, { kind: "route", x: scores, out: routes, router }], routes };
}

/** What the chosen experts give, and the shared ones. */
export function expertOps(
  { stack, shared }: MixtureWeights,
  place: Pick<OpOf<"experts">, "x" | "routes" | "out" | "into"> & {
    readonly layer: number;
    readonly slots: SlotTable;
    /** What a block with an input of its own reads. */
    readonly blockInput?: Slot | undefined;
  },
): readonly Op[] {
  const { layer, slots, blockInput, ...slotsOfOp } = place;
  const { x, out } = place;
  const experts: Op = { kind: "experts", ...slotsOfOp, stack: { ...stack, layer } };
  if (shared === undefined) return [experts];
  if (shared.kind !== "normed") return [experts, ...sharedOps(shared, { layer, slots, x, out })];
  if (blockInput === undefined) throw new RangeError(`layer ${layer}: a block without its input`);
  return [experts, ...normedBlockOps(shared, { layer, slots, x: blockInput, out })];
}

/** `out` holds what the experts gave. */
function normedBlockOps(
  { block: weights, norms }: NormedBlock,
  { layer, slots, x, out }: SharedPlace,
): readonly Op[] {
  const given = slots.slot(nameFor(x, "block beside experts"), x.width, x.rows);
  const block = ffnBlock(layer, { weights, downRows: undefined });
  return [
    normOp({ x: out, out, norm: norms.ofExperts, groups: 1 }),
    { kind: "ffn", x, out: given, into: "assign", block },
    normOp({ x: given, out: given, norm: norms.ofBlock, groups: 1 }),
    { kind: "add", x: given, out },
  ];
}

type SharedPlace = Pick<OpOf<"experts">, "x" | "out"> & {
  readonly layer: number;
  readonly slots: SlotTable;
};

function sharedOps(shared: Exclude<SharedExperts, NormedBlock>, place: SharedPlace): readonly Op[] {
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
