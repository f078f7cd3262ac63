/** What two devices did when: intervals of one step, and from them how long each computed and how long neither did. */
import type { TimelineEvent, Track } from "../../backends/executable-report.ts";
import type { Milliseconds } from "../../core/units.ts";

/** Of one step: gpu + cpu − both + waiting = wall. */
export interface StepTimes {
  readonly wall: Milliseconds;
  readonly gpu: Milliseconds;
  readonly cpu: Milliseconds;
  /** Neither device computed: copies, latency, JavaScript. */
  readonly waiting: Milliseconds;
}

/** `events` of one step, in any order; those of one device do not overlap. */
export function measureStep(
  events: readonly TimelineEvent[],
  step: { readonly start: Milliseconds; readonly end: Milliseconds },
): StepTimes {
  const wall = step.end - step.start;
  const computing = events.filter(({ track }) => track !== "link");
  const sum = (track: Track): Milliseconds =>
    events.reduce((all, event) => all + (event.track === track ? event.end - event.start : 0), 0);
  return {
    wall,
    gpu: sum("gpu"),
    cpu: sum("cpu"),
    waiting: Math.max(0, wall - covered(computing)),
  };
}

/** Length of the union of the intervals. */
function covered(events: readonly TimelineEvent[]): Milliseconds {
  const sorted = [...events].sort((a, b) => a.start - b.start);
  let total = 0;
  let until = Number.NEGATIVE_INFINITY;
  for (const { start, end } of sorted) {
    if (end <= until) continue;
    total += end - Math.max(start, until);
    until = end;
  }
  return total;
}
