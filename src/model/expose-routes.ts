/** What the routers of a program chose, in slots of their own: layers share the ones that they compute in. */
import type { Op, OpOf, Slot } from "../ops/op.ts";
import type { SlotTable } from "./slot-table.ts";

/** The choices of one layer with experts, as the op `route` writes them. */
export interface ExposedRoutes {
  readonly layer: number;
  readonly experts: number;
  readonly routes: Slot; // [rows of the step, 2 · used]
}

/** Undefined for a layer without experts. A gate of shared experts is a router of one expert, and not shown. */
export function exposeRoutes(
  ops: readonly Op[],
  layer: number,
  table: SlotTable,
): { readonly ops: readonly Op[]; readonly exposed: ExposedRoutes } | undefined {
  const isRouter = (op: Op): op is OpOf<"route"> => op.kind === "route" && op.x.width > 1;
  const router = ops.find(isRouter);
  if (router === undefined) return undefined;
  const routes = table.slot(`routes ${layer}`, router.out.width);
  const copy: Op = { kind: "copy", x: router.out, out: routes };
  return {
    ops: ops.toSpliced(ops.indexOf(router) + 1, 0, copy),
    exposed: { layer, experts: router.x.width, routes },
  };
}
