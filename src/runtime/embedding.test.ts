/** How texts to embed are read beside each other and beside answers; no model. A row is [token, position]. */
import { describe, expect, it } from "vitest";
import {
  outputSlots,
  type ScriptedModel,
  scriptedModel,
  vocabulary,
} from "../../test/fixtures/scripted-model.ts";
import { LimitError, NotFiniteError } from "../core/errors.ts";
import { ActiveEmbedding, type PoolingSettings } from "./embedding.ts";
import { ActiveGeneration } from "./generation.ts";
import { resolveSampling } from "./sampling/sampling-options.ts";
import { Scheduler } from "./scheduler.ts";
import { Session } from "./session.ts";

const mean: PoolingSettings = { pooling: "mean", normalize: false, priority: 0 };

function answering(prompt: readonly number[], maxTokens: number): ActiveGeneration {
  return new ActiveGeneration(
    prompt,
    {
      sampling: resolveSampling({ temperature: 0 }, vocabulary),
      maxTokens,
      stop: [],
      endTokens: new Set(),
      whenFull: "finish",
      vocabulary,
    },
    { push: () => "", hiddenText: () => "", end: () => "" },
  );
}

async function schedule(model: ScriptedModel): Promise<Scheduler> {
  return new Scheduler(await Session.open(model.backend, model.program, outputSlots));
}

describe("an embedding", () => {
  it("is the mean of its rows, however they were shared out to steps", async () => {
    for (const maxRows of [1, 2, 3, 8]) {
      const model = scriptedModel({ maxRows });
      const embedding = new ActiveEmbedding([3, 4, 8, 1, 9], mean);
      (await schedule(model)).submit(embedding);
      expect([...(await embedding.result)]).toEqual([5, 2]);
      expect(model.steps).toHaveLength(Math.ceil(5 / maxRows));
      expect(model.steps.every(({ outputRows }) => outputRows.length === 0)).toBe(true);
    }
  });

  it("is the last row, or of length 1, if that is asked for", async () => {
    for (const maxRows of [1, 2, 8]) {
      const scheduler = await schedule(scriptedModel({ maxRows }));
      const last = new ActiveEmbedding([3, 1, 6], { ...mean, pooling: "last" });
      const unit = new ActiveEmbedding([4, 1, 4], { ...mean, normalize: true });
      for (const one of [last, unit]) scheduler.submit(one);
      expect([...(await last.result)]).toEqual([6, 2]);
      // The mean is [3, 1].
      const [a = 0, b = 0] = await unit.result;
      expect(a).toBeCloseTo(3 / Math.sqrt(10), 6);
      expect(b).toBeCloseTo(1 / Math.sqrt(10), 6);
    }
  });

  it("of zeros stays zeros", async () => {
    const zeros = new ActiveEmbedding([0], { ...mean, normalize: true });
    (await schedule(scriptedModel({}))).submit(zeros);
    expect([...(await zeros.result)]).toEqual([0, 0]);
  });

  it("shares steps with answers and other texts, and takes nothing from what sequences hold", async () => {
    const model = scriptedModel({ maxRows: 6, sequences: 3 });
    const scheduler = await schedule(model);
    const answer = answering([1, 2, 3], 4);
    const first = new ActiveEmbedding([1, 2, 3, 4], mean);
    const second = new ActiveEmbedding([7, 9], mean);
    for (const one of [answer, first, second]) scheduler.submit(one);
    expect((await answer.result).tokens).toEqual([4, 5, 6, 7]);
    expect([...(await first.result)]).toEqual([2.5, 1.5]);
    expect([...(await second.result)]).toEqual([8, 0.5]);
    const again = new ActiveEmbedding([7, 9], mean);
    scheduler.submit(again);
    expect([...(await again.result)]).toEqual([8, 0.5]);
    expect(model.steps[1]!.rows).toHaveLength(6);
    expect(model.steps.at(-1)!.rows).toHaveLength(2);
  });

  it("fails alone where its rows are no numbers, where it is too long, and where it is aborted", async () => {
    const scheduler = await schedule(scriptedModel({ contextLength: 8 }));
    const wrong = new ActiveEmbedding([1, Number.NaN], mean);
    wrong.acceptRows(Float32Array.of(1, Number.NaN, 2, 3), 2);
    await expect(wrong.result).rejects.toThrow(NotFiniteError);
    const long = new ActiveEmbedding(Array(9).fill(1), mean);
    const aborted = new ActiveEmbedding([1, 2], mean);
    const answer = answering([1], 2);
    for (const one of [long, aborted, answer]) scheduler.submit(one);
    aborted.abort();
    await expect(long.result).rejects.toThrow(LimitError);
    await expect(long.result).rejects.toThrow(/9 tokens.* 8/);
    await expect(aborted.result).rejects.toThrow(/aborted/);
    expect((await answer.result).tokens).toEqual([2, 3]);
  });

  it("fails with the device", async () => {
    const onStep = (): void => {
      throw new Error("lost");
    };
    const embedding = new ActiveEmbedding([1, 2], mean);
    (await schedule(scriptedModel({ onStep }))).submit(embedding);
    await expect(embedding.result).rejects.toThrow("lost");
  });
});
