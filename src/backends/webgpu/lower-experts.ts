/**
 * A mixture of experts: the choice in one dispatch, then gate, up and activation, down, and the weighed sum of what the
 * experts give. Steps of several rows order their pairs of rows and experts by expert first. Ids stay on the card.
 */

import { routeCount } from "../../ops/expert-stack.ts";
import type { ExpertStack, OpOf, StackedWeight, Weight } from "../../ops/op.ts";
import { expertPieces } from "./expert-pieces.ts";
import { type Binding, type BufferSpec, type Condition, reads, slotStride } from "./kernel.ts";
import { activationCode, hiddenCode } from "./kernels/activation.ts";
import type { CountPlace } from "./kernels/compact.ts";
import {
  type ExpertPairs,
  type ExpertPlan,
  notHere,
  planBytes,
  planExperts,
} from "./kernels/expert-plan.ts";
import {
  type ExpertProduct,
  type ExpertResult,
  expertProduct,
  type PairsPerTile,
} from "./kernels/expert-product.ts";
import { sumExperts } from "./kernels/expert-sum.ts";
import { route } from "./kernels/route.ts";
import { extentOf, type Lowering } from "./lowering.ts";
import { floatsOf } from "./recording-buffers.ts";

export function lowerRoute(op: OpOf<"route">, lowering: Lowering): void {
  const { bias, factors } = op.router;
  const vector = (weight: Weight): BufferSpec =>
    lowering.buffers.vector(weight.name, [{ weight, length: op.x.width }]);
  lowering.emit(
    route(op, {
      x: lowering.slot(op.x),
      out: lowering.slot(op.out),
      ...(bias && { bias: vector(bias) }),
      ...(factors && { factors: vector(factors) }),
    }),
  );
}

/** `place`: where it counts, if only some of the experts are here. */
export function lowerExperts(
  op: OpOf<"experts">,
  lowering: Lowering,
  place: CountPlace | undefined,
): void {
  const { stack, into, subset } = op;
  const { layer, dim, neurons } = stack;
  const { buffers: shapes, slot, emit } = lowering;
  const pairs = pairsOf(op, lowering);
  const tiles = { pairs, subset, forms: planForms(pairs, lowering) };
  const hidden = lowerHidden(op, tiles, lowering);
  const given = lowerDown(stack, hidden, tiles, lowering);
  const label = `experts ${layer}`;
  const counting = place && { counting: { place, neurons } };
  emit(sumExperts(pairs, { label, given, out: slot(op.out), dim, into, shapes, ...counting }));
}

function pairsOf({ x, routes, stack, subset }: OpOf<"experts">, lowering: Lowering): ExpertPairs {
  const { layer, count } = stack;
  const places =
    subset &&
    lowering.buffers.made(
      `places of experts ${layer}`,
      4 * count,
      () => new Uint8Array(placesOf(subset, count).buffer),
      subset,
    );
  return {
    routes: lowering.slot(routes),
    routeStride: slotStride(routes.width),
    used: routeCount(routes),
    all: count,
    experts: subset?.length ?? count,
    ...(places && { places }),
    of: extentOf(x.rows),
    maxRows: lowering.maxRows(x.rows),
  };
}

/** Of every expert its place in the subset. */
function placesOf(subset: Uint32Array, count: number): Uint32Array<ArrayBuffer> {
  const places = new Uint32Array(count).fill(notHere);
  for (const [place, id] of subset.entries()) places[id] = place;
  return places;
}

/** f32 [pairs, width]; layers share it. */
function pairBuffer(
  label: string,
  width: number,
  { pairs }: PairTiles,
  { buffers }: Lowering,
): BufferSpec {
  return buffers.empty(label, pairs.maxRows * pairs.used * slotStride(width) * 4);
}

/** The pairs of a step, and how it goes about them. */
interface PairTiles {
  readonly pairs: ExpertPairs;
  readonly subset: Uint32Array | undefined;
  readonly forms: readonly TileForm[];
}

interface TileForm {
  readonly per: PairsPerTile;
  readonly plan?: ExpertPlan;
  readonly when: Condition;
}

/** Pairs of a tile, by how many an expert has on average if rows choose all alike. One row has no two of one expert. */
const tileForms: readonly { readonly per: PairsPerTile; readonly most: number }[] = [
  { per: 4, most: 4 },
  { per: 16, most: 12 },
  { per: 32, most: Number.POSITIVE_INFINITY },
];

/** The forms of a step by its rows, and what orders the pairs for those of several. */
function planForms(pairs: ExpertPairs, lowering: Lowering): readonly TileForm[] {
  const { buffers: shapes, step, emit } = lowering;
  const { of, maxRows, used, all } = pairs;
  const forms: TileForm[] = [{ per: 1, when: { of, min: 1, max: 1 } }];
  let min = 2;
  for (const { per, most } of tileForms) {
    const max = Math.min(maxRows, Math.floor((most * all) / used));
    if (max < min) continue;
    const when = { of, min, max };
    const buffer = shapes.empty(`expert plan of ${per}`, planBytes(pairs, per));
    const plan = { buffer, maxPairs: maxRows * used, per };
    emit(planExperts(pairs, plan, { step, shapes, when }));
    forms.push({ per, plan, when });
    min = max + 1;
  }
  return forms;
}

/** h of each pair: gate and up in one pass where they are of one type. */
function lowerHidden(op: OpOf<"experts">, tiles: PairTiles, lowering: Lowering): BufferSpec {
  const { gate, gateBias, up, upBias } = op.stack;
  const upBiases = { ...(upBias && { up_bias: upBias }) };
  if (gate === undefined) {
    const u = biased("a", "up_bias", upBias);
    return lowerUp(op, tiles, lowering, { stacked: [up], u, g: "0.0", biases: upBiases });
  }
  if (gate.weight.type === up.weight.type) {
    const biases = { ...upBiases, ...(gateBias && { gate_bias: gateBias }) };
    const [g, u] = [biased("a", "gate_bias", gateBias), biased("b", "up_bias", upBias)];
    return lowerUp(op, tiles, lowering, { stacked: [gate, up], u, g, biases });
  }
  const gated = lowerGate(op, gate, tiles, lowering);
  const bindings = [reads("gated", "array<f32>", gated)];
  const u = biased("a", "up_bias", upBias);
  return lowerUp(op, tiles, lowering, {
    stacked: [up],
    u,
    g: "gated[at]",
    biases: upBiases,
    bindings,
  });
}

/** Of another type than up: a pass of its own. */
function lowerGate(
  { x, stack }: OpOf<"experts">,
  gate: StackedWeight,
  tiles: PairTiles,
  lowering: Lowering,
): BufferSpec {
  const { layer, neurons, gateBias } = stack;
  const out = pairBuffer("expert gates", neurons, tiles, lowering);
  const biases = { ...(gateBias && { gate_bias: gateBias }) };
  const result = resultOf(biased("a", "gate_bias", gateBias), biases, tiles, lowering);
  const shared = { label: `experts ${layer} gate`, x: lowering.slot(x), xOf: "row" } as const;
  emitProducts({ ...shared, out, result }, [gate], tiles, lowering);
  return out;
}

function lowerUp(
  { x, stack }: OpOf<"experts">,
  tiles: PairTiles,
  lowering: Lowering,
  from: {
    readonly stacked: readonly StackedWeight[];
    /** WGSL of up and gate, biased. */
    readonly u: string;
    readonly g: string;
    readonly biases: Biases;
    readonly bindings?: readonly Binding[];
  },
): BufferSpec {
  const { layer, neurons, gating, activation } = stack;
  const { stacked, u, g, biases, bindings = [] } = from;
  const out = pairBuffer("expert hidden", neurons, tiles, lowering);
  const made = resultOf(hiddenCode(gating, u, g), biases, tiles, lowering);
  const result = {
    ...made,
    functions: activationCode(activation),
    bindings: [...made.bindings, ...bindings],
  };
  const label = `experts ${layer} ${stacked.length === 2 ? "gate+up" : "up"}`;
  const shared = { label, x: lowering.slot(x), xOf: "row" } as const;
  emitProducts({ ...shared, out, result }, stacked, tiles, lowering);
  return out;
}

/** What the chosen experts give, each for itself. */
function lowerDown(
  { layer, dim, down, downBias }: ExpertStack,
  hidden: BufferSpec,
  tiles: PairTiles,
  lowering: Lowering,
): BufferSpec {
  const out = pairBuffer("expert outputs", dim, tiles, lowering);
  const biases = { ...(downBias && { down_bias: downBias }) };
  const result = resultOf(biased("a", "down_bias", downBias), biases, tiles, lowering);
  const shared = { label: `experts ${layer} down`, x: hidden, xOf: "pair" } as const;
  emitProducts({ ...shared, out, result }, [down], tiles, lowering);
  return out;
}

/** For every form of a step, and every buffer that the experts are cut into. */
function emitProducts(
  product: Omit<ExpertProduct, "pairs" | "piece" | "results" | "shapes">,
  stacked: readonly StackedWeight[],
  { pairs, subset, forms }: PairTiles,
  { buffers: shapes, emit }: Lowering,
): void {
  const results = stacked[0]?.rows ?? 0;
  const pieces = expertPieces(product.label, { stacked, count: pairs.experts, subset }, shapes);
  for (const form of forms) {
    for (const piece of pieces) {
      emit(expertProduct({ ...product, pairs, piece, results, shapes }, form));
    }
  }
}

/** By the name of their binding. */
type Biases = Readonly<Record<string, StackedWeight>>;

function biased(sum: string, name: string, bias: StackedWeight | undefined): string {
  if (bias === undefined) return sum;
  return `(${sum} + ${name}[(shape.${name}_first + e * shape.${name}_stride) * shape.results + n])`;
}

function resultOf(
  value: string,
  biases: Biases,
  { subset }: PairTiles,
  { buffers }: Lowering,
): ExpertResult {
  const all = Object.entries(biases);
  const bindings = all.map(([name, bias]) => {
    const { weight } = bias;
    const vector = { weight, length: weight.rows * weight.columns };
    const buffer =
      subset === undefined
        ? buffers.vector(weight.name, [vector])
        : buffers.made(
            weight.name,
            4 * subset.length * weight.columns,
            () => new Uint8Array(biasesOf(bias, subset).buffer),
            subset,
          );
    return reads(name, "array<f32>", buffer);
  });
  const shape = all.flatMap(([name, { first, stride }]) => [
    [`${name}_first`, subset === undefined ? first : 0],
    [`${name}_stride`, subset === undefined ? stride : 1],
  ]);
  return { value, functions: "", bindings, shape: Object.fromEntries(shape) };
}

/** The vectors of these experts, one behind the other. */
function biasesOf(
  { weight, first, stride }: StackedWeight,
  subset: Uint32Array,
): Float32Array<ArrayBuffer> {
  const { columns } = weight;
  const values = floatsOf(weight);
  const own = new Float32Array(subset.length * columns);
  for (const [place, id] of subset.entries()) {
    const begin = (first + id * stride) * columns;
    own.set(values.subarray(begin, begin + columns), place * columns);
  }
  return own;
}
