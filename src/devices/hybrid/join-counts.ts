/** Sums of counts of feed-forward blocks: over devices that share a block, and over runs. */
import type { FfnCounts } from "../../backends/backend.ts";
import type { Milliseconds } from "../../core/units.ts";
import { type BlockRef, blockKey } from "../../ops/block-ref.ts";

/** One count for each block, and for the experts of each layer, in order of layer. */
export function joinCounts(
  counts: readonly FfnCounts[],
  join: (a: FfnCounts, b: FfnCounts) => FfnCounts,
): readonly FfnCounts[] {
  const byBlock = new Map<number, FfnCounts>();
  for (const count of counts) {
    const key = blockKey(count);
    const known = byBlock.get(key);
    byBlock.set(key, known === undefined ? count : join(known, count));
  }
  return [...byBlock].sort(([a], [b]) => a - b).map(([, count]) => count);
}

/** The same rows, each with neurons of its own: on two devices, or in two mixtures of a layer (gated shared experts are one). */
export function joinParts(a: FfnCounts, b: FfnCounts): FfnCounts {
  return {
    ...refOf(a),
    active: a.active + b.active,
    rows: Math.max(a.rows, b.rows),
    neurons: a.neurons + b.neurons,
    bytesTouched: a.bytesTouched + b.bytesTouched,
    ...joinTimes(a, b, Math.max),
  };
}

/** The same neurons over more rows. */
export function joinRuns(a: FfnCounts, b: FfnCounts): FfnCounts {
  return {
    ...refOf(a),
    active: a.active + b.active,
    rows: a.rows + b.rows,
    neurons: a.neurons,
    bytesTouched: a.bytesTouched + b.bytesTouched,
    ...joinTimes(a, b, (first, second) => first + second),
  };
}

function refOf({ layer, ofExperts }: BlockRef): BlockRef {
  return { layer, ...(ofExperts && { ofExperts }) };
}

/** Of times that only one side has measured, that side's. */
function joinTimes(
  a: FfnCounts,
  b: FfnCounts,
  join: (a: Milliseconds, b: Milliseconds) => Milliseconds,
): Pick<FfnCounts, "predictorTime" | "time"> {
  const joined = (of: "predictorTime" | "time"): Milliseconds | undefined => {
    const [first, second] = [a[of], b[of]];
    return first === undefined || second === undefined ? (first ?? second) : join(first, second);
  };
  const [predictorTime, time] = [joined("predictorTime"), joined("time")];
  return {
    ...(predictorTime !== undefined && { predictorTime }),
    ...(time !== undefined && { time }),
  };
}
