/**
 * Bounds of a mixture of experts. An id is right or wrong: where two experts lie too near to each other to tell which
 * one is chosen, the choice counts as uncertain, and cases keep clear of that.
 */
import { routeCount } from "../../ops/expert-stack.ts";
import type { OpOf, Router } from "../../ops/op.ts";
import { candidatesOf } from "../../ops/program-ops.ts";
import { choiceScores, groupSums, routerScores } from "../reference/experts.ts";
import { blockOutput, noneActive } from "../reference/ffn.ts";
import { slotData, weightData } from "../reference/state.ts";
import {
  accumulation,
  activationError,
  exponentialError,
  flushed,
  roundoff,
} from "../tolerance.ts";
import { blockBound } from "./bound-ffn.ts";
import type { RowBound } from "./bound-rows.ts";
import { type Bounded, type BoundState, boundedRow } from "./bound-state.ts";

export function routeBound({ x, out, router }: OpOf<"route">, state: BoundState): RowBound {
  const used = routeCount(out);
  const factors = router.factors && weightData(state.reference, router.factors);
  return (row) => {
    const logits = boundedRow(state, x, row);
    const bounds = new Float64Array(2 * used);
    const scores = routerScores(router, logits.values);
    if (scores.some(Number.isNaN)) return bounds;
    const errors = scoreErrors(router, logits, scores);
    const values = choiceScores(router, state.reference, { logits: logits.values, scores });
    const isExact = router.bias === undefined && router.groups === undefined;
    const choice = {
      values,
      errors: isExact
        ? logits.errors
        : errors.map((error, i) => error + 2 * roundoff * Math.abs(values[i]!)),
    };
    const ids = judgeChoice(choice, router, used, state);
    const chosen = {
      values: Float64Array.from(ids, (id) => scores[id]!),
      errors: Float64Array.from(ids, (id) => errors[id]!),
    };
    weightErrors(router, chosen).forEach((error, i) => {
      const factor = factors === undefined ? 1 : Math.abs(factors[ids[i]!]!);
      bounds[used + i] = factor * error;
    });
    return bounds;
  };
}

/** Doubles and their bounds. */
interface Scores {
  readonly values: Float64Array;
  readonly errors: Float64Array;
}

function scoreErrors(
  { scores: kind }: Router,
  logits: Bounded,
  scores: Float64Array,
): Float64Array {
  switch (kind) {
    case "softmax":
      return softmaxErrors(
        { values: Float64Array.from(logits.values), errors: logits.errors },
        scores,
      );
    case "sigmoid":
      return logits.errors.map((error, i) =>
        activationError({ kind: "sigmoid" }, logits.values[i]!, error),
      );
    case "softmax-of-chosen":
      return logits.errors;
    default:
      return kind satisfies never;
  }
}

/** A share's own power and the sum of all are off, each by what its exponents are off and by e^x itself. */
function softmaxErrors({ values, errors }: Scores, shares: Float64Array): Float64Array {
  const most = values.reduce((a, b) => Math.max(a, b));
  const powers = values.map((value, i) => errors[i]! + exponentialError(value - most));
  const ofSum = powers.reduce((sum, error, i) => sum + shares[i]! * error, 0);
  const rounded = accumulation(values.length + 4);
  return powers.map((error, i) => shares[i]! * (error + ofSum + rounded) + flushed);
}

/** The ids as the reference chooses them. */
function judgeChoice(
  choice: Scores,
  { groups }: Router,
  used: number,
  state: BoundState,
): readonly number[] {
  const all = Array.from(choice.values, (_, id) => id);
  const isKept = groups === undefined ? () => true : keptGroups(choice, groups, state);
  const order = ranked(choice, all.filter(isKept));
  countUncertain(choice, order.slice(0, used + 1), state);
  return order.slice(0, used);
}

function keptGroups(
  choice: Scores,
  groups: NonNullable<Router["groups"]>,
  state: BoundState,
): (id: number) => boolean {
  const size = choice.values.length / groups.count;
  const values = groupSums(choice.values, groups.count);
  const errors = values.map((sum, group) => {
    const own = choice.errors.slice(group * size, (group + 1) * size);
    return 2 * own.reduce((a, b) => Math.max(a, b)) + roundoff * Math.abs(sum);
  });
  const order = ranked(
    { values, errors },
    Array.from(values, (_, group) => group),
  );
  countUncertain({ values, errors }, order.slice(groups.used - 1, groups.used + 1), state);
  const kept = new Set(order.slice(0, groups.used));
  return (id) => kept.has(Math.floor(id / size));
}

function ranked({ values }: Scores, ids: readonly number[]): readonly number[] {
  return ids.toSorted((a, b) => values[b]! - values[a]! || a - b);
}

/** Neighbours that may change places; equal ones without an error are ordered by their ids. */
function countUncertain(
  { values, errors }: Scores,
  order: readonly number[],
  state: BoundState,
): void {
  for (const [i, id] of order.slice(1).entries()) {
    const before = order[i]!;
    const error = errors[before]! + errors[id]!;
    if (error > 0 && values[before]! - values[id]! <= error) state.uncertain.count++;
  }
}

/** Of scores made weights: shares of a softmax, divided by their sum, scaled. */
function weightErrors({ scores: kind, normalise, scale }: Router, chosen: Scores): Float64Array {
  const isSoftmax = kind === "softmax-of-chosen";
  const raw = isSoftmax ? softmaxOf(chosen) : chosen;
  const total = raw.values.reduce((sum, value) => sum + value, 0);
  const divisor = normalise ? Math.max(total, 2 ** -14) : 1;
  const ofSum = normalise
    ? raw.errors.reduce((sum, error) => sum + error, 0) + accumulation(raw.values.length) * total
    : 0;
  return raw.errors.map((error, i) => {
    const share = raw.values[i]! / divisor;
    const carried = (error + share * ofSum) / divisor;
    return Math.abs(scale) * (carried + 8 * roundoff * share) + flushed;
  });
}

function softmaxOf(scores: Scores): Scores {
  const values = routerScores(
    { scores: "softmax", normalise: false, scale: 1 },
    Float32Array.from(scores.values),
  );
  return { values, errors: softmaxErrors(scores, values) };
}

/** Σ w·d over the chosen experts: what w and d are off by, and the roundings of their products and of the sum. */
export function expertsBound(
  { x, routes, out, into, stack, subset }: OpOf<"experts">,
  state: BoundState,
): RowBound {
  const blocks = state.reference.experts.get(stack)!;
  const used = routeCount(routes);
  return (row) => {
    const route = boundedRow(state, routes, row);
    const input = boundedRow(state, x, row);
    const bounds = new Float64Array(stack.dim);
    const sizes = new Float64Array(stack.dim);
    for (let i = 0; i < used; i++) {
      const id = route.values[i]!;
      if (subset?.includes(id) === false) continue;
      const block = blocks[id]!;
      const weight = Math.abs(route.values[used + i]!);
      const weightError = route.errors[used + i]!;
      const neurons = { among: candidatesOf(block), active: noneActive(block) };
      const given = blockOutput(block, state.reference, { row, x: input.values }, neurons);
      const error = blockBound(block, state, input, row);
      for (let c = 0; c < stack.dim; c++) {
        const own = error(c);
        bounds[c]! += weight * own + weightError * (Math.abs(given[c]!) + own);
        sizes[c]! += weight * Math.abs(given[c]!);
      }
    }
    const before = slotData(state.reference, out).subarray(row * stack.dim, (row + 1) * stack.dim);
    const held = boundedRow(state, out, row).errors;
    return bounds.map((bound, c) => {
      const kept = into === "add" ? Math.abs(before[c]!) : 0;
      const rounded = accumulation(used + 2) * (sizes[c]! + kept);
      return bound + rounded + (into === "add" ? held[c]! : 0) + flushed;
    });
  };
}
