/** Where the time of a token goes, what it would be with all neurons, and what two devices did in the last one. */
import type { VNode } from "preact";
import type { Unit } from "../plan/budget-plans.ts";
import { timeText } from "../texts/map.ts";
import { texts } from "../texts.ts";
import type { Interval } from "./frames.ts";
import type { MapNumbers, StepParts } from "./numbers.ts";

const width = 1000;

export interface TimeBarsProps {
  readonly numbers: MapNumbers;
  readonly unit: Unit;
  readonly timeline: readonly Interval[];
  readonly timelineEnd: number;
}

export function TimeBars({ numbers, unit, timeline, timelineEnd }: TimeBarsProps): VNode {
  const { parts, stepTime } = numbers;
  const labels = texts.map.time;
  return (
    <section class="card" aria-labelledby="time-title">
      <h2 id="time-title">{labels.title}</h2>
      {parts === undefined ? (
        <p class="note">{labels.untimed}</p>
      ) : (
        <Bars parts={parts} unit={unit} stepTime={stepTime} />
      )}
      {timeline.length > 0 && <Timeline timeline={timeline} end={timelineEnd} />}
    </section>
  );
}

interface BarsProps {
  readonly parts: StepParts;
  readonly unit: Unit;
  readonly stepTime: number;
}

function Bars({ parts, unit, stepTime }: BarsProps): VNode {
  const labels = texts.map.time;
  const dense = parts.rest + parts.dense;
  const longest = Math.max(stepTime, dense);
  return (
    <>
      <Bar
        name={labels.now}
        total={stepTime}
        longest={longest}
        parts={[
          ["rest", labels.rest, parts.rest],
          ["predictors", labels.predictors, parts.predictors],
          ["neurons", labels.units[unit], parts.neurons],
        ]}
      />
      {parts.dense > parts.neurons * 1.01 && (
        <Bar
          name={labels.dense(unit)}
          total={dense}
          longest={longest}
          note={labels.estimate}
          parts={[
            ["rest", labels.rest, parts.rest],
            ["dense", labels.units[unit], parts.dense],
          ]}
        />
      )}
      <ul class="key">
        <li class="key-rest">{labels.rest}</li>
        {parts.predictors > 0 && <li class="key-hot">{labels.predictors}</li>}
        <li class="key-cold">{labels.units[unit]}</li>
      </ul>
      {dense > stepTime * 1.01 && <p class="note">{labels.saved(unit, dense / stepTime)}</p>}
    </>
  );
}

interface BarProps {
  readonly name: string;
  readonly total: number;
  readonly longest: number;
  readonly note?: string;
  readonly parts: readonly (readonly [kind: string, name: string, time: number])[];
}

function Bar({ name, total, longest, note, parts }: BarProps): VNode {
  let at = 0;
  const said = parts.map(([, part, time]) => `${part} ${timeText(time)}`).join(", ");
  return (
    <div class="timed">
      <p>
        <span>{name}</span>
        <b>{timeText(total)}</b>
      </p>
      <svg
        viewBox={`0 0 ${width} 36`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${name}: ${said}`}
      >
        {parts.map(([kind, part, time]) => {
          const x = (at / longest) * width;
          at += time;
          return (
            <rect
              key={kind}
              class={`part-${kind}`}
              x={x}
              y="0"
              width={(time / longest) * width}
              height="36"
            >
              <title>{`${part}: ${timeText(time)}`}</title>
            </rect>
          );
        })}
      </svg>
      {note !== undefined && <small>{note}</small>}
    </div>
  );
}

const tracks = ["gpu", "link", "cpu"] as const;
const trackKeys = { gpu: "key-hot", link: "key-rest", cpu: "key-cold" } as const;

/** Where neither device computes, both wait. */
function Timeline({
  timeline,
  end,
}: {
  readonly timeline: readonly Interval[];
  readonly end: number;
}): VNode {
  const labels = texts.map.time;
  const x = (time: number): number => (Math.max(0, time) / Math.max(end, 1e-9)) * width;
  const sums = tracks.map((track) =>
    timeline.reduce((sum, one) => sum + (one.track === track ? one.end - one.start : 0), 0),
  );
  const said = tracks.map((track, at) => `${labels.tracks[track]} ${timeText(sums[at] ?? 0)}`);
  const waiting = Math.max(0, end - covered(timeline));
  return (
    <div class="timed">
      <p>
        <span>{labels.timeline}</span>
        <b>{timeText(end)}</b>
      </p>
      <svg
        class="tracks"
        viewBox={`0 0 ${width} 90`}
        preserveAspectRatio="none"
        role="img"
        aria-label={[...said, `${labels.tracks.waiting} ${timeText(waiting)}`].join(", ")}
      >
        {tracks.map((track, row) => (
          <rect key={track} class="part-track" x="0" y={row * 31} width={width} height="27" />
        ))}
        {timeline.map((one, at) => (
          <rect
            key={at}
            class={`part-${one.track}`}
            x={x(one.start)}
            y={tracks.indexOf(one.track) * 31}
            width={Math.max(1, x(one.end) - x(one.start))}
            height="27"
          >
            <title>{`${one.name}: ${timeText(one.end - one.start)}`}</title>
          </rect>
        ))}
      </svg>
      <ul class="key">
        {tracks.map((track, at) => (
          <li key={track} class={trackKeys[track]}>
            {labels.tracks[track]} {timeText(sums[at] ?? 0)}
          </li>
        ))}
        <li class="key-resting">
          {labels.tracks.waiting} {timeText(waiting)}
        </li>
      </ul>
    </div>
  );
}

/** Length of the union of what the devices computed. */
function covered(timeline: readonly Interval[]): number {
  const sorted = timeline
    .filter(({ track }) => track !== "link")
    .toSorted((a, b) => a.start - b.start);
  let [total, until] = [0, 0];
  for (const { start, end } of sorted) {
    total += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return total;
}
