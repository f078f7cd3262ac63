/**
 * The hidden size of a layer's predictor (PowerInfer §5.1): begin with a size by the layer's sparsity and skew, then
 * grow or shrink it until the smallest that reaches the target is found.
 */
import type { SelectionQuality, SelectionTarget } from "./predictor-quality.ts";

/** Blocks of Q8_0: a rank that is a multiple can be stored in any type. */
const rankStep = 32;
/** PowerInfer's predictors have about a tenth of their block's parameters. */
const usualShare = 0.1;

export interface RankLimits {
  readonly dim: number;
  readonly neurons: number;
  /** Matrices of a block: 2, or 3 with a gate. */
  readonly matrices: number;
}

/**
 * A tenth of the block's parameters for a layer with a tenth of its neurons active; more for a denser layer, since more
 * neurons are near their border, and less for a skewed one, whose few busy neurons explain most activity.
 */
export function firstRank(limits: RankLimits, frequency: Float64Array): number {
  const activeShare = mean(frequency);
  const density = Math.min(2, Math.max(0.5, Math.sqrt(activeShare / 0.1)));
  const skewness = Math.max(0, skewnessOf(frequency));
  const share = (usualShare * density) / (1 + skewness / 10);
  return roundRank(share * fullRank(limits), limits);
}

/** Sizes a search may try: multiples of 32, doubling, with one step between. */
export function rankLadder(limits: RankLimits): readonly number[] {
  const most = roundRank(fullRank(limits) / 2, limits);
  const ladder: number[] = [];
  for (let rank = rankStep; rank <= most; rank *= 2) ladder.push(rank, (rank * 3) / 2);
  const whole = ladder.filter((rank) => rank % rankStep === 0 && rank <= most);
  return whole.length > 0 ? whole : [most];
}

export interface RankCriterion {
  readonly target: SelectionTarget;
  /** The most neurons selected, in units of those that are active. */
  readonly maxRatio: number;
}

/** Held-out noise: a share of 95.5 % aimed at may be measured a little below, and is still 95 %. */
const allowedShortfall = 0.005;

export function meetsTarget(quality: SelectionQuality, criterion: RankCriterion): boolean {
  const { target, maxRatio } = criterion;
  const { recall, massRecall, ratio } = quality;
  const hasMass = Number.isNaN(massRecall) || massRecall >= target.massRecall - allowedShortfall;
  return recall >= target.recall - allowedShortfall && hasMass && ratio <= maxRatio;
}

/**
 * The smallest size of the ladder whose `attempt` meets the criterion, found in about log2(ladder) attempts from
 * `first`; the largest, if none does. Assumes that what a size reaches, larger ones reach too.
 */
export async function searchRank<Attempt extends { readonly quality: SelectionQuality }>(
  search: {
    readonly ladder: readonly number[];
    readonly first: number;
    readonly criterion: RankCriterion;
  },
  attempt: (rank: number) => Promise<Attempt>,
): Promise<Attempt> {
  const { ladder, first, criterion } = search;
  let low = 0;
  let high = ladder.length - 1;
  let at = nearest(ladder, first);
  let step = 1;
  let found: Attempt | undefined;
  let largest: Attempt | undefined;
  while (low <= high) {
    const tried = await attempt(ladder[at] ?? first);
    if (at === ladder.length - 1) largest = tried;
    if (meetsTarget(tried.quality, criterion)) {
      found = tried;
      high = at - 1;
    } else {
      low = at + 1;
    }
    at =
      found === undefined ? Math.min(high, at + step) : Math.floor((low + Math.max(low, high)) / 2);
    step *= 2;
  }
  const result = found ?? largest;
  if (result === undefined) throw new RangeError("a search needs a ladder");
  return result;
}

/** The rank at which a predictor and its block have equally many parameters. */
function fullRank({ dim, neurons, matrices }: RankLimits): number {
  return (matrices * dim * neurons) / (dim + neurons);
}

function roundRank(rank: number, { dim }: RankLimits): number {
  const most = Math.max(rankStep, Math.floor(dim / rankStep) * rankStep * 2);
  return Math.min(most, Math.max(rankStep, Math.round(rank / rankStep) * rankStep));
}

function nearest(ladder: readonly number[], rank: number): number {
  let best = 0;
  ladder.forEach((candidate, i) => {
    if (Math.abs(candidate - rank) < Math.abs((ladder[best] ?? 0) - rank)) best = i;
  });
  return best;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** Third standardised moment: 0 for a symmetric distribution, large when few neurons do most of the work. */
function skewnessOf(values: Float64Array): number {
  const centre = mean(values);
  const variance = mean(values.map((value) => (value - centre) ** 2));
  if (variance === 0) return 0;
  return mean(values.map((value) => (value - centre) ** 3)) / variance ** 1.5;
}
