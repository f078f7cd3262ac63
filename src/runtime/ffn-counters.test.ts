import { describe, expect, it } from "vitest";
import type { ChannelCounts, FfnCounts } from "../backends/backend.ts";
import { createStep } from "../ops/program.ts";
import { FfnCounters } from "./ffn-counters.ts";

function counts(layer: number, values: Partial<FfnCounts>): FfnCounts {
  return {
    layer,
    active: 0,
    rows: 1,
    neurons: 10,
    bytesTouched: 0,
    predictorTime: 0,
    time: 0,
    ...values,
  };
}

const prompt = createStep(4, 4);
prompt.rowCount = 4;
const answer = createStep(4, 4);
answer.rowCount = answer.answerRows = 2;

describe("counters", () => {
  it("keeps prompts and answers apart, and takes the counts only when the purpose of steps changes", () => {
    let pending: FfnCounts[] = [];
    let taken = 0;
    const counters = new FfnCounters({
      ffnCounts: () => {
        taken++;
        return pending.splice(0);
      },
      channelCounts: () => [],
    });
    counters.begin(prompt);
    pending = [counts(0, { rows: 4, active: 40, bytesTouched: 400 })];
    counters.end(10);
    counters.begin(answer);
    pending = [counts(0, { rows: 2, active: 4, bytesTouched: 100, predictorTime: 1 })];
    counters.end(3);
    counters.begin(answer);
    counters.end(5);
    expect(taken).toBe(1);
    expect(counters.use("answer")).toEqual({
      tokens: 2,
      activeShare: 0.2,
      activeSharePerLayer: [0.2],
      predictorTimeShare: 1 / 8,
      bytesTouchedPerToken: 50,
    });
    expect(counters.use("prompt").activeShare).toBe(1);
    expect(counters.use("all")).toMatchObject({ tokens: 6, bytesTouchedPerToken: 500 / 6 });
  });

  it("counts the rows of a layer's experts once, whether or not shared ones are a mixture of their own", () => {
    const of = { rows: 2, ofExperts: true } as const;
    const pending: FfnCounts[] = [];
    const counters = new FfnCounters({
      ffnCounts: () => pending.splice(0),
      channelCounts: () => [],
    });
    counters.begin(answer);
    pending.push(counts(0, { ...of, active: 4, bytesTouched: 100 }));
    pending.push(counts(0, { ...of, active: 20, bytesTouched: 30 }));
    counters.end(1);
    const expected = { tokens: 2, activeShare: 24 / 40, bytesTouchedPerToken: 65 };
    expect(counters.use("answer")).toMatchObject(expected);
  });

  it("does not count proposals as tokens, and keeps the steps that check them apart", () => {
    const step = createStep(4, 4);
    step.rowCount = 4;
    step.answerRows = 1;
    step.proposalRows = 3;
    const pending: FfnCounts[] = [];
    const counters = new FfnCounters({
      ffnCounts: () => pending.splice(0),
      channelCounts: () => [],
    });
    counters.begin(step);
    pending.push(counts(0, { rows: 4, active: 20, bytesTouched: 400 }));
    counters.end(1);
    expect(counters.use("proposal")).toMatchObject({ tokens: 1, activeShare: 0.5 });
    expect(counters.use("answer").tokens).toBe(0);
    expect(counters.use("all").tokens).toBe(1);
  });

  it("divides each layer's bytes by its own rows: the last layer may compute fewer", () => {
    const once = [
      counts(1, { rows: 1, bytesTouched: 7 }),
      counts(0, { rows: 5, bytesTouched: 50, active: 25 }),
    ];
    const counters = new FfnCounters({ ffnCounts: () => once.splice(0), channelCounts: () => [] });
    expect(counters.use("prompt")).toMatchObject({
      bytesTouchedPerToken: 17,
      activeSharePerLayer: [0.5, 0],
    });
  });

  it("says nothing of a predictor that no device has timed", () => {
    const { predictorTime: _, ...untimed } = counts(0, { rows: 1, active: 2 });
    const counters = new FfnCounters({ ffnCounts: () => [untimed], channelCounts: () => [] });
    counters.begin(answer);
    counters.end(5);
    expect(counters.use("answer").predictorTimeShare).toBeUndefined();
  });

  it("adds up matrices read by input one by one: some may have computed fewer rows", () => {
    let pending: ChannelCounts[] = [
      { rows: 4, channels: 40, bytesTouched: 80, bytesDense: 80 },
      { rows: 1, channels: 6, bytesTouched: 30, bytesDense: 60 },
    ];
    const source = { ffnCounts: () => [], channelCounts: () => pending.splice(0) };
    const counters = new FfnCounters(source);
    counters.begin(prompt);
    expect(counters.use("prompt").channels).toEqual({
      inputsPerToken: 16,
      bytesTouchedPerToken: 50,
    });
    pending = [
      { rows: 4, channels: 20, bytesTouched: 40, bytesDense: 80 },
      { rows: 1, channels: 4, bytesTouched: 20, bytesDense: 60 },
    ];
    expect(counters.use("all").channels).toEqual({
      inputsPerToken: 12.5,
      bytesTouchedPerToken: 40,
    });
    expect(counters.use("answer").channels).toBeUndefined();
  });

  it("of nothing is zeros, not NaN", () => {
    const use = new FfnCounters({ ffnCounts: () => [], channelCounts: () => [] }).use("answer");
    expect(use).toEqual({
      tokens: 0,
      activeShare: 0,
      activeSharePerLayer: [],
      bytesTouchedPerToken: 0,
    });
  });
});
