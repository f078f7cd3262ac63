/** A mixture of experts: the choice of a router, and the sum of what the chosen experts give. */
import { routeCount } from "../../ops/expert-stack.ts";
import type { OpOf, Router } from "../../ops/op.ts";
import { candidatesOf } from "../../ops/program-ops.ts";
import { blockOutput, noneActive } from "./ffn.ts";
import { type ReferenceState, type RowRange, slotData, weightData } from "./state.ts";

export function route(op: OpOf<"route">, state: ReferenceState, range: RowRange): void {
  const { router } = op;
  const used = routeCount(op.out);
  const experts = op.x.width;
  const out = slotData(state, op.out);
  const factors = router.factors && weightData(state, router.factors);
  for (let row = range.first; row < range.end; row++) {
    const logits = slotData(state, op.x).subarray(row * experts, (row + 1) * experts);
    const scores = routerScores(router, logits);
    const choice = choiceScores(router, state, { logits, scores });
    const ids = chosenExperts(choice, router, used);
    const chosen = ids.map((id) => scores[id]!);
    const weights = routeWeights(
      router,
      choice.some(Number.isNaN) ? chosen.fill(Number.NaN) : chosen,
    );
    const scaled = weights.map(
      (weight, i) => weight * (factors === undefined ? 1 : factors[ids[i]!]!),
    );
    out.set([...ids, ...scaled], row * 2 * used);
  }
}

/** What weighs an expert, before it is normalised. */
export function routerScores({ scores }: Router, logits: Float32Array): Float64Array {
  switch (scores) {
    case "softmax":
      return softmax(Float64Array.from(logits));
    case "sigmoid":
      return Float64Array.from(logits, (x) => 1 / (1 + Math.exp(-x)));
    case "softmax-of-chosen":
      return Float64Array.from(logits);
    default:
      return scores satisfies never;
  }
}

/** What experts are compared by. Scores rise with their logits: where nothing else counts, these decide, without a rounding. */
export function choiceScores(
  { bias: weight, groups }: Router,
  state: ReferenceState,
  { logits, scores }: { readonly logits: Float32Array; readonly scores: Float64Array },
): Float64Array {
  const bias = weight && weightData(state, weight);
  if (bias !== undefined) return scores.map((score, i) => score + bias[i]!);
  if (groups !== undefined) return scores;
  return Float64Array.from(logits, (logit, i) => (Number.isNaN(scores[i]!) ? Number.NaN : logit));
}

/** The ids of the best, in order; the first ones where a score is NaN. */
function chosenExperts(choice: Float64Array, { groups }: Router, used: number): number[] {
  const all = Array.from(choice, (_, id) => id);
  if (choice.some(Number.isNaN)) return all.slice(0, used);
  if (groups === undefined)
    return all.sort((a, b) => choice[b]! - choice[a]! || a - b).slice(0, used);
  const size = choice.length / groups.count;
  const sums = groupSums(choice, groups.count);
  const kept = Array.from(sums, (_, group) => group)
    .sort((a, b) => sums[b]! - sums[a]! || a - b)
    .slice(0, groups.used);
  return all
    .filter((id) => kept.includes(Math.floor(id / size)))
    .sort((a, b) => choice[b]! - choice[a]! || a - b)
    .slice(0, used);
}

/** Of each group, the sum of its two best. */
export function groupSums(choice: Float64Array, count: number): Float64Array {
  const size = choice.length / count;
  return Float64Array.from({ length: count }, (_, group) => {
    const [first, second] = choice
      .slice(group * size, (group + 1) * size)
      .sort()
      .reverse();
    return first! + second!;
  });
}

/** Of the chosen experts, from their scores. */
function routeWeights(
  { scores: kind, normalise, scale }: Router,
  scores: readonly number[],
): readonly number[] {
  const raw = kind === "softmax-of-chosen" ? [...softmax(Float64Array.from(scores))] : scores;
  const sum = raw.reduce((total, weight) => total + weight, 0);
  const divisor = normalise ? Math.max(sum, leastSum) : 1;
  return raw.map((weight) => (weight / divisor) * scale);
}

/** The smallest normal f16, as in llama.cpp. A sum that is NaN stays so. */
const leastSum = 2 ** -14;

function softmax(values: Float64Array): Float64Array {
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

export function experts(op: OpOf<"experts">, state: ReferenceState, range: RowRange): void {
  const { dim } = op.stack;
  const blocks = state.experts.get(op.stack)!;
  const isComputed = (id: number): boolean => op.subset?.includes(id) ?? true;
  const used = routeCount(op.routes);
  const routes = slotData(state, op.routes);
  const x = slotData(state, op.x);
  const out = slotData(state, op.out);
  for (let row = range.first; row < range.end; row++) {
    const begin = row * dim;
    const sums = new Float64Array(dim);
    for (let i = 0; i < used; i++) {
      const id = routes[row * 2 * used + i]!;
      if (!isComputed(id)) continue;
      const block = blocks[id]!;
      const weight = routes[row * 2 * used + used + i]!;
      const input = { row, x: x.subarray(begin, begin + dim) };
      const neurons = { among: candidatesOf(block), active: noneActive(block) };
      const given = blockOutput(block, state, input, neurons);
      for (let c = 0; c < dim; c++) sums[c]! += weight * given[c]!;
    }
    for (let c = 0; c < dim; c++) {
      out[begin + c] = op.into === "add" ? out[begin + c]! + sums[c]! : sums[c]!;
    }
  }
}
