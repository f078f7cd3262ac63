/**
 * What a mixture of experts is made of, and what must hold of it: its router, the stacked weights, the routes between
 * the two; and single experts as blocks.
 */
import type { ExpertStack, FfnBlock, Router, Slot, StackedWeight, Weight } from "./op.ts";
import { isVector, type Requirement, requires } from "./requirement.ts";
import { rowRange } from "./row-range.ts";

/** Each weight once: gate and up may lie in one. */
export function stackWeights(stack: Omit<ExpertStack, "layer">): readonly Weight[] {
  return [...new Set(stackedParts(stack).flatMap(({ part }) => weightsOf(part)))];
}

/** One, or one for each expert. */
export function weightsOf({ weight, apart }: StackedWeight): readonly Weight[] {
  return apart ?? [weight];
}

/** Experts that a row is routed to. */
export function routeCount(routes: Slot): number {
  return routes.width / 2;
}

/** The matrix of one expert. */
function expertWeight(
  { weight, first, stride, rows, apart }: StackedWeight,
  expert: number,
): Weight {
  return apart?.[expert] ?? rowRange(weight, first + expert * stride, rows);
}

/** One expert as a block, whose weights are parts of the stacked ones: new objects with each call. */
export function expertBlock(stack: ExpertStack, expert: number): FfnBlock {
  const { layer, dim, neurons, gating, activation } = stack;
  const { gate, gateBias, up, upBias, down, downBias } = stack;
  return {
    layer,
    dim,
    neurons,
    gating,
    activation,
    ...(gate && { gate: expertWeight(gate, expert) }),
    ...(gateBias && { gateBias: expertWeight(gateBias, expert) }),
    up: expertWeight(up, expert),
    ...(upBias && { upBias: expertWeight(upBias, expert) }),
    down: { layout: "columns", weight: expertWeight(down, expert) },
    ...(downBias && { downBias: expertWeight(downBias, expert) }),
    method: { kind: "dense" },
  };
}

export function stackRequirements(stack: ExpertStack): readonly Requirement[] {
  const { gate, gateBias, gating, count } = stack;
  return [
    requires(Number.isInteger(count) && count >= 1, "experts", count),
    requires((gate === undefined) === (gating === "ungated"), "a gate iff gated", gating),
    requires(gateBias === undefined || gating !== "ungated", "a bias of a gate", gating),
    ...stackedParts(stack).map((stacked) => isStackOf(stacked, count)),
  ];
}

export function routesRequirements(routes: Slot, experts: number): readonly Requirement[] {
  const used = routeCount(routes);
  const isPossible = Number.isInteger(used) && used >= 1 && used <= experts;
  return [requires(isPossible, `routes to 1 to ${experts} experts`, used)];
}

export function routerRequirements(
  { bias, factors, groups, scale }: Router,
  { x, out }: { readonly x: Slot; readonly out: Slot },
): readonly Requirement[] {
  const experts = x.width;
  const plain = [
    requires(x.id !== out.id, "out to be another slot than x", out.name),
    ...routesRequirements(out, experts),
    isVector(bias, experts),
    isVector(factors, experts),
    requires(Number.isFinite(scale), "a finite scale", scale),
  ];
  if (groups === undefined) return plain;
  const { count, used } = groups;
  const size = experts / count;
  return [
    ...plain,
    requires(Number.isInteger(size) && size >= 2, `groups of two or more of ${experts}`, count),
    requires(used >= 1 && used <= count, `1 to ${count} groups that are used`, used),
    requires(routeCount(out) <= used * size, `at most ${used * size} routes`, routeCount(out)),
  ];
}

interface StackedPart {
  readonly part: StackedWeight;
  /** Of the matrix of one expert. */
  readonly rows: number;
  readonly columns: number;
}

function stackedParts(stack: Omit<ExpertStack, "layer">): readonly StackedPart[] {
  const { dim, neurons, gate, gateBias, up, upBias, down, downBias } = stack;
  const parts: readonly (readonly [StackedWeight | undefined, number, number])[] = [
    [gate, neurons, dim],
    [gateBias, 1, neurons],
    [up, neurons, dim],
    [upBias, 1, neurons],
    [down, dim, neurons],
    [downBias, 1, dim],
  ];
  return parts.flatMap(([part, rows, columns]) =>
    part === undefined ? [] : [{ part, rows, columns }],
  );
}

function isStackOf(stacked: StackedPart, count: number): Requirement {
  const { part, rows, columns } = stacked;
  if (part.apart !== undefined) return areMatrices(part.apart, stacked, count);
  const { weight, first, stride } = part;
  const end = first + (count - 1) * stride + rows;
  const isWithin = first >= 0 && stride >= rows && end <= weight.rows;
  return requires(
    part.rows === rows && weight.columns === columns && isWithin,
    `${weight.name} of ${count} matrices [${rows}, ${columns}]`,
    `[${part.rows}, ${weight.columns}] from row ${first} on, ${stride} apart, of ${weight.rows}`,
  );
}

function areMatrices(
  apart: readonly Weight[],
  { part, rows, columns }: StackedPart,
  count: number,
): Requirement {
  const { name, type } = part.weight;
  const isAlike = (each: Weight): boolean =>
    each.type === type && each.rows === rows && each.columns === columns;
  return requires(
    part.rows === rows && apart.length === count && apart.every(isAlike),
    `${name} and further ones: ${count} matrices [${rows}, ${columns}] of one type`,
    apart.map((each) => `${each.type} [${each.rows}, ${each.columns}]`).join(", "),
  );
}
