/**
 * What the feed-forward blocks did since the model was opened: which share of neurons was computed, how many bytes
 * that took, and what predicting cost; and what attention's matrices read, where they are read by input. Steps of different
 * purposes are kept apart, for they share weights differently.
 */
import type { ChannelCounts, Executable, FfnCounts } from "../backends/backend.ts";
import type { Bytes, Milliseconds, Tokens } from "../core/units.ts";
import { blockKey } from "../ops/block-ref.ts";
import { purposeOf, type RowPurpose, rowPurposes, type Step } from "../ops/program.ts";

export interface FfnUse {
  /** Rows that the blocks computed, without proposals; where it is 0, the rest is 0 too. */
  readonly tokens: Tokens;
  /** Neurons computed, of all, 0…1. */
  readonly activeShare: number;
  readonly activeSharePerLayer: readonly number[];
  /** Of the time of these steps, 0…1; absent where the device does not time predictors. */
  readonly predictorTimeShare?: number;
  /** FFN weight bytes read for a token, predictors included; rows of one step share what they read. */
  readonly bytesTouchedPerToken: Bytes;
  /** Of the matrices beside the blocks that are read by input; absent where there are none. */
  readonly channels?: ChannelUse;
}

interface ChannelUse {
  /** Inputs read for a token, summed over the matrices. */
  readonly inputsPerToken: number;
  /** Weight bytes read for a token; rows of one step share what they read. */
  readonly bytesTouchedPerToken: Bytes;
}

/** What counts are taken from. */
export type CountSource = Pick<Executable, "ffnCounts" | "channelCounts">;

interface BlockSum {
  readonly layer: number;
  active: number;
  possible: number;
  rows: Tokens;
  bytes: Bytes;
}

type ChannelSum = Pick<ChannelCounts, "rows" | "channels" | "bytesTouched">;

interface PurposeSum {
  /** By `blockKey`: a layer may have a block beside its experts, and each computes all rows. */
  readonly blocks: Map<number, BlockSum>;
  /** In the program's order. */
  channels: readonly ChannelSum[];
  predictorTime: Milliseconds | undefined;
  stepTime: Milliseconds;
  proposals: Tokens;
}

export class FfnCounters {
  readonly #source: CountSource;
  readonly #sums: Readonly<Record<RowPurpose, PurposeSum>> = {
    answer: emptySum(),
    proposal: emptySum(),
    prompt: emptySum(),
  };
  #purpose: RowPurpose = "prompt";

  /** `source` gives the counts since its last call. It is asked when the purpose of steps changes, not in each step. */
  constructor(source: CountSource) {
    this.#source = source;
  }

  /** Before and after a step whose own counts are wanted: those since the last call, which go into the sums too. */
  apart(): readonly FfnCounts[] {
    return this.#collect();
  }

  /** Before a step runs. */
  begin(step: Step): void {
    const purpose = purposeOf(step);
    if (purpose !== this.#purpose) this.#collect();
    this.#purpose = purpose;
    this.#sums[purpose].proposals += step.proposalRows;
  }

  /** After the step: how long it took. */
  end(time: Milliseconds): void {
    this.#sums[this.#purpose].stepTime += time;
  }

  /** What was done so far in steps of one purpose, or in all. */
  use(purpose: RowPurpose | "all"): FfnUse {
    this.#collect();
    const purposes = purpose === "all" ? rowPurposes : [purpose];
    return summarise(purposes.map((one) => this.#sums[one]));
  }

  #collect(): readonly FfnCounts[] {
    const sum = this.#sums[this.#purpose];
    sum.channels = addedChannels(sum.channels, this.#source.channelCounts());
    const counted = new Set<number>();
    const fresh = this.#source.ffnCounts();
    for (const counts of fresh) {
      const key = blockKey(counts);
      const block = sum.blocks.get(key) ?? emptyBlock(counts.layer);
      block.active += counts.active;
      block.possible += counts.rows * counts.neurons;
      // Gated shared experts are a mixture of their own, over the same rows.
      if (!counts.ofExperts || !counted.has(key)) block.rows += counts.rows;
      counted.add(key);
      block.bytes += counts.bytesTouched;
      sum.blocks.set(key, block);
      const { predictorTime } = counts;
      if (predictorTime !== undefined) sum.predictorTime = (sum.predictorTime ?? 0) + predictorTime;
    }
    return fresh;
  }
}

function emptyBlock(layer: number): BlockSum {
  return { layer, active: 0, possible: 0, rows: 0, bytes: 0 };
}

function emptySum(): PurposeSum {
  return { blocks: new Map(), channels: [], predictorTime: undefined, stepTime: 0, proposals: 0 };
}

function summarise(sums: readonly PurposeSum[]): FfnUse {
  const blocks = new Map<number, BlockSum>();
  for (const [key, sum] of sums.flatMap((one) => [...one.blocks])) {
    blocks.set(key, added(blocks.get(key) ?? emptyBlock(sum.layer), sum));
  }
  const perBlock = [...blocks].sort(([a], [b]) => a - b).map(([, sum]) => sum);
  const perLayer = new Map<number, BlockSum>();
  for (const sum of perBlock) {
    perLayer.set(sum.layer, added(perLayer.get(sum.layer) ?? emptyBlock(sum.layer), sum));
  }
  const total = perBlock.reduce(added, emptyBlock(0));
  const proposals = sums.reduce((all, one) => all + one.proposals, 0);
  const time = sums.reduce((all, { stepTime }) => all + stepTime, 0);
  const measured = sums.flatMap(({ predictorTime }) => predictorTime ?? []);
  const predictorTime = measured.reduce((all, one) => all + one, 0);
  const channels = sums.map((one) => one.channels).reduce(addedChannels, []);
  return {
    tokens: Math.max(0, (perBlock[0]?.rows ?? 0) - proposals),
    activeShare: share(total.active, total.possible),
    activeSharePerLayer: [...perLayer.values()].map(({ active, possible }) =>
      share(active, possible),
    ),
    ...(measured.length > 0 && { predictorTimeShare: share(predictorTime, time) }),
    // Layers may have computed different rows: the last one those of outputs only.
    bytesTouchedPerToken: perBlock.reduce((all, { bytes, rows }) => all + share(bytes, rows), 0),
    ...(channels.length > 0 && { channels: channelUse(channels) }),
  };
}

function channelUse(channels: readonly ChannelSum[]): ChannelUse {
  const perToken = (count: "channels" | "bytesTouched"): number =>
    channels.reduce((all, one) => all + share(one[count], one.rows), 0);
  return { inputsPerToken: perToken("channels"), bytesTouchedPerToken: perToken("bytesTouched") };
}

/** Either may be empty: nothing was counted yet. */
function addedChannels(a: readonly ChannelSum[], b: readonly ChannelSum[]): readonly ChannelSum[] {
  if (a.length === 0 || b.length === 0) return a.length === 0 ? b : a;
  return a.map((one, at) => ({
    rows: one.rows + (b[at]?.rows ?? 0),
    channels: one.channels + (b[at]?.channels ?? 0),
    bytesTouched: one.bytesTouched + (b[at]?.bytesTouched ?? 0),
  }));
}

function added(a: BlockSum, b: BlockSum): BlockSum {
  return {
    layer: a.layer,
    active: a.active + b.active,
    possible: a.possible + b.possible,
    rows: a.rows + b.rows,
    bytes: a.bytes + b.bytes,
  };
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
