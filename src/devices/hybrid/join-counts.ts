/** Sums of counts of feed-forward blocks: over devices that share a block, and over runs. */
import type { FfnCounts } from "../../backends/backend.ts";
import type { Milliseconds } from "../../core/units.ts";

/** One count for each layer, in order of layer. */
export function joinCounts(
  counts: readonly FfnCounts[],
  join: (a: FfnCounts, b: FfnCounts) => FfnCounts,
): readonly FfnCounts[] {
  const byLayer = new Map<number, FfnCounts>();
  for (const count of counts) {
    const known = byLayer.get(count.layer);
    byLayer.set(count.layer, known === undefined ? count : join(known, count));
  }
  return [...byLayer.values()].sort((a, b) => a.layer - b.layer);
}

/** The same rows on two devices, each with neurons of its own. */
export function joinDevices(a: FfnCounts, b: FfnCounts): FfnCounts {
  return {
    layer: a.layer,
    active: a.active + b.active,
    rows: Math.max(a.rows, b.rows),
    neurons: a.neurons + b.neurons,
    bytesTouched: a.bytesTouched + b.bytesTouched,
    ...(a.ofExperts && b.ofExperts && { ofExperts: true }),
    ...joinTimes(a, b, Math.max),
  };
}

/** The same neurons over more rows. */
export function joinRuns(a: FfnCounts, b: FfnCounts): FfnCounts {
  return {
    layer: a.layer,
    active: a.active + b.active,
    rows: a.rows + b.rows,
    neurons: a.neurons,
    bytesTouched: a.bytesTouched + b.bytesTouched,
    ...(a.ofExperts && b.ofExperts && { ofExperts: true }),
    ...joinTimes(a, b, (first, second) => first + second),
  };
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
