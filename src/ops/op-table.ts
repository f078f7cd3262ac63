/**
 * All that the kinds of op differ in before a backend sees them: one rule for each kind, and a missing one does not
 * compile. A question about any op has its answer here; what remains beside this table is each backend's lowering.
 */

import {
  routerRequirements,
  routesRequirements,
  stackRequirements,
  stackWeights,
} from "./expert-stack.ts";
import { ffnRule, predictRule } from "./ffn-rules.ts";
import type { Op, OpKind, OpOf, Weight } from "./op.ts";
import type { OpRule } from "./op-rule.ts";
import {
  hasColumns,
  hasRowsOf,
  isCap,
  isLike,
  isMatrix,
  isOfStep,
  isVector,
  ofCells,
  ofState,
  positionRequirements,
  requires,
  seesHeld,
  subsetRequirement,
} from "./requirement.ts";

type Table = { readonly [Kind in OpKind]: OpRule<OpOf<Kind>> };

const weightless = { weights: () => [], channels: () => [] };
const replacing = { addsInto: () => false };

type FromXToOut = OpOf<
  | "norm"
  | "matmul"
  | "route"
  | "mask"
  | "add"
  | "scale"
  | "copy"
  | "part"
  | "select"
  | "argmax"
  | "top-k"
>;

/** Ops that make `out` out of `x`. */
function fromXToOut<O extends FromXToOut>(): Pick<OpRule<O>, "reads" | "writes" | "moved"> {
  return {
    reads: ({ x }) => [x],
    writes: ({ out }) => out,
    moved: (op, { slot }) => ({ ...op, x: slot(op.x), out: slot(op.out) }),
  };
}

export const opTable: Table = {
  embed: {
    ...replacing,
    reads: () => [],
    writes: ({ out }) => out,
    weights: ({ table, positions }) => present(table, positions?.weight),
    channels: () => [],
    moved: (op, { slot }) => ({ ...op, out: slot(op.out) }),
    check: ({ table, positions, out }, kv) => {
      const own = [hasColumns(table, out.width), isOfStep("out", out)];
      if (positions === undefined) return own;
      const { weight, offset } = positions;
      const needed = kv.contextLength + offset;
      return [
        ...own,
        hasColumns(weight, out.width),
        requires(weight.rows >= needed, `${needed} position rows`, weight.rows),
      ];
    },
  },
  norm: {
    ...replacing,
    ...fromXToOut(),
    weights: ({ weight, bias }) => present(weight, bias),
    channels: () => [],
    check: ({ x, out, groups, weight, bias }) => {
      const size = x.width / groups;
      return [
        requires(Number.isInteger(size), `a width of ${groups} equal groups`, x.width),
        isVector(weight, size),
        isVector(bias, size),
        ...isLike(x, out),
      ];
    },
  },
  matmul: {
    ...fromXToOut(),
    addsInto: ({ into }) => into === "add",
    weights: ({ weight, bias }) => present(weight, bias),
    channels: ({ channels }) => present(channels),
    check: ({ x, out, weight, bias, channels }) => [
      isMatrix(weight, [out.width, x.width]),
      ...(channels === undefined ? [] : [isMatrix(channels, [x.width, out.width])]),
      isVector(bias, out.width),
      requires(x.id !== out.id, "out to be another slot than x", out.name),
      hasRowsOf(x, out),
    ],
  },
  rope: {
    ...weightless,
    ...replacing,
    reads: ({ x }) => [x],
    writes: ({ x }) => x,
    moved: (op, { slot }) => ({ ...op, x: slot(op.x) }),
    check: ({ x, heads, frequencies }) => {
      const headDim = x.width / heads;
      const rotated = 2 * frequencies.length;
      return [
        requires(Number.isInteger(headDim), `a width of ${heads} equal heads`, x.width),
        requires(rotated <= headDim, `at most ${headDim} rotated elements`, rotated),
        isOfStep("x", x),
      ];
    },
  },
  "store-kv": {
    ...weightless,
    ...replacing,
    reads: ({ k, v }) => [k, v],
    writes: () => undefined,
    moved: (op, { slot, cacheLayer }) => ({
      ...op,
      k: slot(op.k),
      v: slot(op.v),
      layer: cacheLayer(op.layer),
    }),
    check: ({ layer, k, v }, kv) =>
      ofCells(kv, layer, ({ kvHeads, keyWidth, valueWidth }) => [
        requires(k.width === kvHeads * keyWidth, "k as wide as the cache", k.width),
        requires(v.width === kvHeads * valueWidth, "v as wide as the cache", v.width),
        isOfStep("k", k),
        isOfStep("v", v),
      ]),
  },
  attention: {
    ...replacing,
    reads: ({ q }) => [q],
    writes: ({ out }) => out,
    weights: ({ sinks }) => present(sinks),
    channels: () => [],
    moved: (op, { slot, cacheLayer }) => ({
      ...op,
      q: slot(op.q),
      out: slot(op.out),
      layer: cacheLayer(op.layer),
    }),
    check: ({ layer, q, out, heads, window, softCap, sinks }, kv) =>
      ofCells(kv, layer, ({ kvHeads, keyWidth, valueWidth }) => [
        requires(heads % kvHeads === 0, `a multiple of ${kvHeads} heads`, heads),
        requires(q.width === heads * keyWidth, "q as wide as its heads", q.width),
        requires(out.width === heads * valueWidth, "out as wide as its heads", out.width),
        isOfStep("q", q),
        isOfStep("out", out),
        seesHeld(kv.layers[layer], window),
        requires(isCap(softCap), "a soft cap above 0", String(softCap)),
        isVector(sinks, heads),
      ]),
  },
  convolve: {
    ...replacing,
    reads: ({ x }) => [x],
    writes: ({ out }) => out,
    weights: ({ weight }) => [weight],
    channels: () => [],
    moved: (op, { slot, cacheLayer }) => ({
      ...op,
      x: slot(op.x),
      out: slot(op.out),
      layer: cacheLayer(op.layer),
    }),
    check: ({ layer, x, out, weight }, kv) =>
      ofState(kv, layer, ({ conv: { positions, channels } }) => [
        requires(x.width === channels, `x of ${channels} channels`, x.width),
        isMatrix(weight, [channels, positions + 1]),
        isOfStep("x", x),
        ...isLike(x, out),
      ]),
  },
  "delta-rule": {
    ...replacing,
    reads: ({ x, decay, strength }) => [x, decay, strength],
    writes: ({ out }) => out,
    weights: ({ rate, bias }) => [rate, bias],
    channels: () => [],
    moved: (op, { slot, cacheLayer }) => ({
      ...op,
      x: slot(op.x),
      decay: slot(op.decay),
      strength: slot(op.strength),
      out: slot(op.out),
      layer: cacheLayer(op.layer),
    }),
    check: ({ layer, x, decay, strength, out, keyHeads, keyRun, rate, bias, epsilon }, kv) =>
      ofState(kv, layer, ({ state: { heads, rows, columns } }) => {
        const width = 2 * keyHeads * rows + heads * columns;
        const slots = [x, decay, strength];
        return [
          requires(heads % keyHeads === 0, `a divisor of ${heads} heads`, keyHeads),
          requires((heads / keyHeads) % keyRun === 0, "a divisor of the heads of a key", keyRun),
          requires(x.width === width, `x of width ${width}`, x.width),
          requires(decay.width === heads, `decay of ${heads} heads`, decay.width),
          requires(strength.width === heads, `strength of ${heads} heads`, strength.width),
          requires(out.width === heads * columns, "out as wide as its heads", out.width),
          requires(!slots.includes(out), "out to be a slot of its own", out.name),
          requires(epsilon > 0, "an epsilon above 0", epsilon),
          isVector(rate, heads),
          isVector(bias, heads),
          ...[...slots, out].map((slot) => isOfStep(slot.name, slot)),
        ];
      }),
  },
  activate: {
    ...weightless,
    ...replacing,
    reads: ({ up, gate }) => (gate === undefined ? [up] : [up, gate]),
    writes: ({ out }) => out,
    moved: (op, { slot }) => {
      const gate = op.gate && { gate: slot(op.gate) };
      return { ...op, up: slot(op.up), out: slot(op.out), ...gate };
    },
    check: ({ gating, gate, up, out }) => [
      requires((gate === undefined) === (gating === "ungated"), "a gate iff gated", gating),
      ...isLike(gate ?? up, out),
      ...isLike(up, out),
    ],
  },
  ffn: ffnRule,
  predict: predictRule,
  route: {
    ...replacing,
    ...fromXToOut(),
    weights: ({ router }) => present(router.bias, router.factors),
    channels: () => [],
    check: ({ x, out, router }) => [...routerRequirements(router, { x, out }), hasRowsOf(x, out)],
  },
  experts: {
    reads: ({ x, routes }) => [x, routes],
    writes: ({ out }) => out,
    addsInto: ({ into }) => into === "add",
    weights: ({ stack }) => stackWeights(stack),
    channels: () => [],
    moved: (op, { slot }) => ({
      ...op,
      x: slot(op.x),
      routes: slot(op.routes),
      out: slot(op.out),
    }),
    check: ({ x, routes, out, stack, subset }) => [
      requires(x.width === stack.dim, `x of width ${stack.dim}`, x.width),
      subsetRequirement(subset, "expert", stack.count),
      ...isLike(x, out),
      requires(x.id !== out.id, "out to be another slot than x", out.name),
      hasRowsOf(x, routes),
      ...routesRequirements(routes, stack.count),
      ...stackRequirements(stack),
    ],
  },
  mask: {
    ...weightless,
    ...replacing,
    ...fromXToOut(),
    check: ({ x, out, value, norms }) => {
      const length = norms?.length ?? x.width;
      return [
        requires(value >= 0, "a value of at least 0", value),
        requires(length === x.width, `${x.width} norms`, length),
        ...isLike(x, out),
      ];
    },
  },
  add: {
    ...weightless,
    ...fromXToOut(),
    addsInto: () => true,
    check: ({ x, out, factor = 1 }) => [
      requires(Number.isFinite(factor), "a finite factor", factor),
      ...isLike(x, out),
    ],
  },
  scale: {
    ...weightless,
    ...replacing,
    ...fromXToOut(),
    check: ({ x, out, factor, cap = 1, byPosition }, kv) => [
      requires(Number.isFinite(factor), "a finite factor", factor),
      requires(cap > 0 && cap < Number.POSITIVE_INFINITY, "a cap above 0", cap),
      ...isLike(x, out),
      ...(byPosition === undefined ? [] : positionRequirements(x, byPosition, kv)),
    ],
  },
  copy: {
    ...weightless,
    ...replacing,
    ...fromXToOut(),
    check: ({ x, out }) => isLike(x, out),
  },
  part: {
    ...weightless,
    ...replacing,
    ...fromXToOut(),
    check: ({ x, out, groups, first }) => {
      const from = x.width / groups;
      const size = out.width / groups;
      const isWithin = Number.isInteger(first) && first >= 0 && first + size <= from;
      return [
        requires(Number.isInteger(from), `x of ${groups} equal groups`, x.width),
        requires(Number.isInteger(size), `out of ${groups} equal parts`, out.width),
        requires(isWithin, `a part within ${from} elements`, first + size),
        requires(x.id !== out.id, "out to be another slot than x", out.name),
        hasRowsOf(x, out),
      ];
    },
  },
  select: {
    ...weightless,
    ...replacing,
    ...fromXToOut(),
    check: ({ x, out }) => [
      isOfStep("x", x),
      requires(out.rows === "outputs", "out with the output rows", out.rows),
      requires(x.width === out.width, `width ${x.width}`, out.width),
    ],
  },
  argmax: {
    ...weightless,
    ...replacing,
    ...fromXToOut(),
    check: ({ x, out }) => [
      requires(out.width === 1, "an out of width 1", out.width),
      hasRowsOf(x, out),
    ],
  },
  "top-k": {
    ...weightless,
    ...replacing,
    ...fromXToOut(),
    check: ({ x, out }) => [
      requires(out.width % 2 === 0, "an out of pairs", out.width),
      requires(out.width <= 2 * x.width, `an out of at most ${x.width} pairs`, out.width),
      hasRowsOf(x, out),
    ],
  },
};

export function ruleOf(op: Op): OpRule<Op> {
  return opTable[op.kind];
}

function present(...weights: readonly (Weight | undefined)[]): readonly Weight[] {
  return weights.filter((weight) => weight !== undefined);
}
