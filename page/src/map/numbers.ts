/** The map's numbers: of an answer, or of some of its tokens. Pure. */
import type { Facts, MapToken } from "./frames.ts";
import type { Recording } from "./recording.ts";

/** Tokens [first, last] of a recording's `tokens`; undefined: all. */
export interface Choice {
  readonly first: number;
  readonly last: number;
}

interface LayerNumbers {
  readonly neurons: number;
  /** Neurons, or experts, computed for a token on average. */
  readonly active: number;
  readonly activeShare: number;
  /** Of those that were active, the share on the card; undefined without a plan. */
  readonly hitShare: number | undefined;
  readonly profileShare: number | undefined;
  readonly bytesTouched: number;
  readonly time: number | undefined;
}

/** Means for one token. Times in milliseconds. */
export interface MapNumbers {
  readonly tokens: number;
  readonly neurons: number;
  readonly active: number;
  readonly activeShare: number;
  readonly bytesTouched: number;
  readonly bytesDense: number;
  readonly hitShare: number | undefined;
  readonly stepTime: number;
  /** Of the step: what predictors took, what the blocks took without them, and the rest; undefined where no device times blocks. */
  readonly parts: StepParts | undefined;
  readonly layers: readonly LayerNumbers[];
}

export interface StepParts {
  readonly predictors: number;
  readonly neurons: number;
  readonly rest: number;
  /** The neurons' time if all of them had been read, at the same bytes a millisecond. */
  readonly dense: number;
}

function tokensOf({ tokens }: Recording, choice: Choice | undefined): readonly MapToken[] {
  return choice === undefined ? tokens : tokens.slice(choice.first, choice.last + 1);
}

export function numbersOf(recording: Recording, choice: Choice | undefined): MapNumbers {
  const { facts } = recording;
  const tokens = tokensOf(recording, choice);
  const per = 1 / Math.max(1, tokens.length);
  const layers = facts.layers.map((_, layer) => layerNumbers(facts, layer, tokens));
  const sum = (of: (one: LayerNumbers) => number): number =>
    layers.reduce((all, one) => all + of(one), 0);
  const neurons = sum((one) => one.neurons);
  const active = sum((one) => one.activeShare * one.neurons);
  const bytesTouched = sum((one) => one.bytesTouched);
  const stepTime = tokens.reduce((all, token) => all + token.stepTime, 0) * per;
  return {
    tokens: tokens.length,
    neurons,
    active,
    activeShare: active / Math.max(1, neurons),
    bytesTouched,
    bytesDense: facts.bytesDense,
    hitShare: hitShareOf(facts, tokens),
    stepTime,
    parts: partsOf(tokens, { stepTime, bytesTouched, bytesDense: facts.bytesDense }),
    layers,
  };
}

function layerNumbers(facts: Facts, layer: number, tokens: readonly MapToken[]): LayerNumbers {
  const known = facts.layers[layer];
  const own = tokens.flatMap(({ layers }) => layers.filter((one) => one.layer === layer));
  const per = 1 / Math.max(1, tokens.length);
  const neurons = known?.neurons ?? 0;
  const active = own.reduce((sum, one) => sum + one.activeCount, 0) * per;
  const times = own.flatMap(({ time }) => time ?? []);
  const { hot, profile, experts } = known ?? {};
  const listed = own.flatMap(({ ids }) => (ids === undefined ? [] : [ids]));
  return {
    neurons,
    active: experts === undefined ? active : listed.reduce((sum, ids) => sum + ids.length, 0) * per,
    activeShare: active / Math.max(1, neurons),
    hitShare:
      hot === undefined ? undefined : 1 - coldCount(listed, hot) / Math.max(1, active / per),
    profileShare: profile && profile.reduce((sum, share) => sum + share, 0) / Math.max(1, neurons),
    bytesTouched: own.reduce((sum, one) => sum + one.bytesTouched, 0) * per,
    time: times.length === 0 ? undefined : times.reduce((sum, time) => sum + time, 0) * per,
  };
}

/** Pairs of tokens and neurons that the CPU computed: a card counts no single ones, so the rest were its own. */
function coldCount(lists: readonly Uint32Array[], hot: Uint8Array): number {
  return lists.reduce(
    (sum, ids) => sum + ids.reduce((cold, id) => cold + (hot[id] === 1 ? 0 : 1), 0),
    0,
  );
}

/** Of what the tokens computed, the share on the card; undefined without a plan. */
export function hitShareOf({ layers }: Facts, tokens: readonly MapToken[]): number | undefined {
  if (layers.every(({ hot }) => hot === undefined)) return undefined;
  let [active, cold] = [0, 0];
  for (const token of tokens) {
    for (const { layer, activeCount, ids } of token.layers) {
      active += activeCount;
      const hot = layers[layer]?.hot;
      if (ids !== undefined) cold += hot === undefined ? ids.length : coldCount([ids], hot);
    }
  }
  return active === 0 ? undefined : 1 - cold / active;
}

function partsOf(
  tokens: readonly MapToken[],
  of: Pick<MapNumbers, "stepTime" | "bytesTouched" | "bytesDense">,
): StepParts | undefined {
  const layers = tokens.flatMap((token) => token.layers);
  if (layers.length === 0 || layers.some(({ time }) => time === undefined)) return undefined;
  const per = 1 / tokens.length;
  const blocks = layers.reduce((sum, { time = 0 }) => sum + time, 0) * per;
  const predictors = layers.reduce((sum, { predictorTime = 0 }) => sum + predictorTime, 0) * per;
  const neurons = Math.max(0, blocks - predictors);
  return {
    predictors,
    neurons,
    rest: Math.max(0, of.stepTime - blocks),
    dense: of.bytesTouched === 0 ? neurons : (neurons * of.bytesDense) / of.bytesTouched,
  };
}

/** By layer: for how many of the chosen tokens each neuron was computed. */
export function chosenCounts(
  recording: Recording,
  choice: Choice | undefined,
): readonly Uint32Array[] {
  if (choice === undefined) return recording.counts;
  const chosen = recording.counts.map(({ length }) => new Uint32Array(length));
  for (const { layers } of tokensOf(recording, choice)) {
    for (const { layer, ids = [] } of layers) {
      const counts = chosen[layer];
      if (counts !== undefined) for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
    }
  }
  return chosen;
}

/** A point of the curve: the most active `share` of all neurons does `work` of the work. */
export interface CurvePoint {
  readonly share: number;
  readonly work: number;
}

const curvePoints = 200;
/** Ranks are told apart as finely as a profile's shares are sent. */
const rankSteps = 0xffff;

/** `ranks` order the neurons, the largest first; `values` are the work of each. Both by layer. */
export function powerCurve(
  ranks: readonly ArrayLike<number>[],
  values: readonly ArrayLike<number>[],
): readonly CurvePoint[] {
  const largest = ranks.reduce((most, layer) => Math.max(most, largestOf(layer)), 0);
  const neurons = new Float64Array(rankSteps + 1);
  const works = new Float64Array(rankSteps + 1);
  ranks.forEach((layer, at) => {
    for (let id = 0; id < layer.length; id++) {
      const rank = largest === 0 ? 0 : Math.round(((layer[id] ?? 0) / largest) * rankSteps);
      neurons[rank] = (neurons[rank] ?? 0) + 1;
      works[rank] = (works[rank] ?? 0) + (values[at]?.[id] ?? 0);
    }
  });
  const count = neurons.reduce((sum, one) => sum + one, 0);
  const total = works.reduce((sum, one) => sum + one, 0);
  if (total === 0) return [];
  const points: CurvePoint[] = [{ share: 0, work: 0 }];
  let [passed, work, last] = [0, 0, 0];
  for (let rank = rankSteps; rank >= 0; rank--) {
    if (neurons[rank] === 0) continue;
    passed += neurons[rank] ?? 0;
    work += works[rank] ?? 0;
    if ((passed - last) * curvePoints < count && passed < count) continue;
    points.push({ share: passed / count, work: work / total });
    last = passed;
  }
  return points;
}

function largestOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let at = 0; at < values.length; at++) largest = Math.max(largest, values[at] ?? 0);
  return largest;
}

/** What the most active `share` does, between the points. */
export function workAt(points: readonly CurvePoint[], share: number): number {
  const at = points.findIndex((point) => point.share >= share);
  const [before, after] = [points[Math.max(0, at - 1)], points[at]];
  if (before === undefined || after === undefined) return points.length === 0 ? 0 : 1;
  const width = after.share - before.share;
  const part = width === 0 ? 1 : (share - before.share) / width;
  return before.work + (after.work - before.work) * part;
}

/** The smallest share that does so much of the work. */
export function shareFor(points: readonly CurvePoint[], work: number): number {
  return points.find((point) => point.work >= work)?.share ?? 1;
}

/** Ids of a layer, the most active first; equal ones in the file's order. */
export function orderOf(values: ArrayLike<number>): Uint32Array {
  const { length } = values;
  if (length > rankSteps) {
    const ids = Uint32Array.from({ length }, (_, id) => id);
    return ids.sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || a - b);
  }
  // Numbers are sorted much faster than by a function: rank and id in one.
  const largest = largestOf(values) || 1;
  const keys = Uint32Array.from({ length }, (_, id) => {
    const rank = Math.round(((values[id] ?? 0) / largest) * rankSteps);
    return (rankSteps - rank) * (rankSteps + 1) + id;
  });
  return keys.sort().map((key) => key & rankSteps);
}
