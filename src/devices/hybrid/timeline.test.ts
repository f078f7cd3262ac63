import { describe, expect, it } from "vitest";
import type { TimelineEvent } from "../../backends/executable-report.ts";
import { chromeTrace } from "./chrome-trace.ts";
import { measureStep } from "./timeline.ts";

const event = (
  track: TimelineEvent["track"],
  start: number,
  end: number,
  name = "x",
): TimelineEvent => ({ track, name, step: 3, start, end });

describe("measureStep", () => {
  it("counts overlap once and what no device covers as waiting", () => {
    const events = [
      event("gpu", 10, 14),
      event("cpu", 12, 17),
      event("link", 17, 18),
      event("gpu", 18, 19),
    ];
    const times = measureStep(events, { start: 9, end: 20 });
    expect(times).toEqual({ wall: 11, gpu: 5, cpu: 5, waiting: 11 - 7 - 1 });
    const overlap = 2;
    expect(times.gpu + times.cpu - overlap + times.waiting).toBe(times.wall);
  });

  it("waits all the time when nothing ran", () => {
    expect(measureStep([], { start: 1, end: 4 })).toEqual({ wall: 3, gpu: 0, cpu: 0, waiting: 3 });
  });
});

describe("a Chrome trace", () => {
  it("names its tracks and begins at zero, in microseconds", () => {
    const text = chromeTrace([event("cpu", 5.5, 6, "cold ffn 1"), event("gpu", 5, 7, "layer 1")]);
    const trace = JSON.parse(text);
    const intervals = trace.traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
    expect(intervals).toEqual([
      { ph: "X", pid: 1, tid: 1, name: "cold ffn 1", ts: 500, dur: 500, args: { step: 3 } },
      { ph: "X", pid: 1, tid: 0, name: "layer 1", ts: 0, dur: 2000, args: { step: 3 } },
    ]);
    const names = trace.traceEvents.filter(({ ph }: { ph: string }) => ph === "M");
    expect(names.map(({ args }: { args: { name: string } }) => args.name)).toEqual([
      "GPU",
      "CPU",
      "copies",
    ]);
  });
});
