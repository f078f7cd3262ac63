/** When conversations are copied out of sequences and into them again; no model. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { answering } from "../../../test/fixtures/scripted-answer.ts";
import {
  outputSlots,
  type ScriptedModel,
  scriptedModel,
  vocabulary,
} from "../../../test/fixtures/scripted-model.ts";
import { MiB } from "../../core/units.ts";
import { Scheduler } from "../scheduler.ts";
import { Session } from "../session.ts";
import { PrefixCache } from "./prefix-cache.ts";

async function schedule(model: ScriptedModel): Promise<Scheduler> {
  const session = await Session.open(model.backend, model.program, outputSlots);
  return new Scheduler(session, { prefixes: new PrefixCache(model.program.kv, MiB) });
}

/** 40 tokens. */
function talk(seed: number): readonly number[] {
  return Array.from({ length: 40 }, (_, i) => (i * seed + seed) % vocabulary);
}

async function answer(scheduler: Scheduler, seed: number): Promise<number> {
  const generation = answering(talk(seed), { maxTokens: 1 });
  scheduler.submit(generation);
  return (await generation.result).cachedTokens;
}

describe("a conversation that left its sequence", () => {
  it("comes back, also where another one took it at once", async () => {
    const scheduler = await schedule(scriptedModel({ sequences: 1, contextLength: 64 }));
    const all = [1, 3, 1, 3].map((seed) => answer(scheduler, seed));
    expect(await Promise.all(all)).toEqual([0, 0, 39, 39]);
  });

  it("is copied while nothing runs, and that gives way to whatever comes", async () => {
    const scheduler = await schedule(scriptedModel({ sequences: 2, contextLength: 64 }));
    await answer(scheduler, 1);
    expect(scheduler.activity.rememberedBytes).toBe(0);
    while (scheduler.activity.rememberedBytes === 0) await nextTurn();
    expect(await answer(scheduler, 1)).toBe(39);
    await answer(scheduler, 3);
    await scheduler.remember();
    expect(await answer(scheduler, 5)).toBe(0);
    expect(await answer(scheduler, 1)).toBe(39);
  });

  it("frees its sequence when its answer is aborted before it is back", async () => {
    const model = scriptedModel({ sequences: 1, contextLength: 64 });
    const scheduler = await schedule(model);
    for (const seed of [1, 3]) await answer(scheduler, seed);
    await scheduler.remember();
    await nextTurn();
    const steps = model.steps.length;
    const back = answering(talk(1));
    scheduler.submit(back);
    expect(scheduler.activity).toMatchObject({ running: 1, waiting: 0 });
    back.abort();
    expect(await back.result).toMatchObject({ finishReason: "abort", tokens: [] });
    while (scheduler.activity.running > 0) await nextTurn();
    expect(model.steps).toHaveLength(steps);
    expect(await answer(scheduler, 3)).toBe(39);
    expect(await answer(scheduler, 1)).toBe(39);
  });
});
