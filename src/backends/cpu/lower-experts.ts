/** A mixture of experts → its records: the router's choice, and the stacked weights of the experts. See lower.ts. */
import type { OpOf, StackedWeight } from "../../ops/op.ts";
import { flag, lowerActivation } from "./lower-ffn.ts";
import { choiceCodes, opRecord } from "./program-records.ts";
import type { WeightTable } from "./weight-table.ts";

export function lowerRoute(
  { x, out, router }: OpOf<"route">,
  weights: WeightTable,
): readonly number[] {
  const { scores, bias, groups, normalise, scale, factors } = router;
  return opRecord("route", {
    x: x.id,
    out: out.id,
    scores: choiceCodes.routerScores[scores],
    bias: weights.add(bias),
    groups: groups?.count ?? 1,
    groupsUsed: groups?.used ?? 1,
    normalise: flag(normalise),
    scale,
    factors: weights.add(factors),
  });
}

export function lowerExperts(
  { x, routes, out, into, stack, subset }: OpOf<"experts">,
  weights: WeightTable,
): readonly number[] {
  const { layer, count, neurons, gating, activation } = stack;
  const index = (stacked: StackedWeight | undefined): number => weights.add(stacked?.weight);
  const indexes = (stacked: StackedWeight | undefined): number => {
    const { apart } = stacked ?? {};
    return weights.addArray(apart && Uint32Array.from(apart, (weight) => weights.add(weight)));
  };
  const { gate, gateBias, up, upBias, down, downBias } = stack;
  return opRecord("experts", {
    x: x.id,
    routes: routes.id,
    out: out.id,
    adds: flag(into === "add"),
    layer,
    count,
    neurons,
    subset: weights.addArray(subset),
    subsetCount: subset?.length ?? 0,
    ...lowerActivation(gating, activation),
    gate: index(gate),
    gateFirst: gate?.first ?? 0,
    gateStride: gate?.stride ?? 0,
    gateApart: indexes(gate),
    gateBias: index(gateBias),
    gateBiasFirst: gateBias?.first ?? 0,
    gateBiasStride: gateBias?.stride ?? 0,
    up: index(up),
    upFirst: up.first,
    upStride: up.stride,
    upApart: indexes(up),
    upBias: index(upBias),
    upBiasFirst: upBias?.first ?? 0,
    upBiasStride: upBias?.stride ?? 0,
    down: index(down),
    downFirst: down.first,
    downStride: down.stride,
    downApart: indexes(down),
    downBias: index(downBias),
    downBiasFirst: downBias?.first ?? 0,
    downBiasStride: downBias?.stride ?? 0,
  });
}
