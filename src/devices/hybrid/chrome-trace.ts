/**
 * Timelines as Chrome trace format: open them in Perfetto or chrome://tracing.
 * Source: "Trace Event Format", events of phase X (complete) and M (names). Times are microseconds.
 */
import type { TimelineEvent, Track } from "../../backends/executable-report.ts";

const tracks: readonly { readonly track: Track; readonly name: string }[] = [
  { track: "gpu", name: "GPU" },
  { track: "cpu", name: "CPU" },
  { track: "link", name: "copies" },
];

/** One JSON text, an event a line. */
export function chromeTrace(events: readonly TimelineEvent[]): string {
  const begin = events.reduce((least, { start }) => Math.min(least, start), Number.MAX_VALUE);
  const names = tracks.map(({ name }, tid) => ({
    ph: "M",
    pid: 1,
    tid,
    name: "thread_name",
    args: { name },
  }));
  const intervals = events.map(({ track, name, step, start, end }) => ({
    ph: "X",
    pid: 1,
    tid: tracks.findIndex((candidate) => candidate.track === track),
    name,
    ts: microseconds(start - begin),
    dur: microseconds(end - start),
    args: { step },
  }));
  const lines = [...names, ...intervals].map((event) => JSON.stringify(event));
  return `{"displayTimeUnit":"ms","traceEvents":[\n${lines.join(",\n")}\n]}\n`;
}

function microseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6) / 1e3;
}
