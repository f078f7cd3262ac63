/** Plans over HTTP are those of `hearth plan --json`, and a model is opened otherwise for who has a key alone. */
import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";
import { makeTinyModel, type TinyModel } from "../../../test/fixtures/tiny-model.ts";
import { planPlacement } from "../../index.ts";
import { Planning } from "./planning.ts";

interface OnePlan {
  readonly budget_bytes: number;
  readonly hot: readonly number[];
  readonly first_gpu_layer: number;
}

interface Plans {
  readonly contexts: readonly number[];
  readonly plans: readonly OnePlan[];
}

interface Running {
  readonly context: number;
}

const folder = mkdtempSync(join(tmpdir(), "hearth-plans-"));
const cacheBefore = process.env["XDG_CACHE_HOME"];
let model: TinyModel;
let open: TestServer;
let locked: TestServer;
beforeAll(async () => {
  process.env["XDG_CACHE_HOME"] = folder;
  model = await makeTinyModel(["--ffn", "320", "--layers", "3", "--context", "512"]);
  const options = { model: model.path, parallel: 2 };
  [open, locked] = await Promise.all([
    startTestServer(options),
    startTestServer({ ...options, apiKeys: ["k"] }),
  ]);
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await locked[Symbol.asyncDispose]();
  model[Symbol.dispose]();
  rmSync(folder, { recursive: true });
  if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = cacheBefore;
});

const asKeyHolder = { "x-api-key": "k" };

describe("plans over budgets", () => {
  it("are those of hearth plan --json, each of them", async () => {
    const asked = { machine: "rtx-2080ti", context: 256, vram_budget: 700_000 };
    const { plans, contexts } = await jsonOf<Plans>(await open.ask("/hearth/plan", asked));
    expect(contexts).toEqual([64, 128, 256, 512]);
    expect(plans.length).toBeGreaterThan(20);
    expect(plans.map(({ budget_bytes }) => budget_bytes)).toContain(700_000);
    for (const { hot, first_gpu_layer, predicting: _, ...plan } of plans as readonly (OnePlan & {
      readonly predicting: unknown;
    })[]) {
      const { json } = await planPlacement(model.path, {
        hardware: "rtx-2080ti",
        contextLength: 256,
        sequences: 2,
        vramBudget: plan.budget_bytes,
      });
      expect(json).toMatchObject(plan);
      const { layers } = json as {
        readonly layers: readonly { hot: number; attention_device: string }[];
      };
      expect(layers.map((layer) => layer.hot)).toEqual(hot);
      const onCard = layers.map(({ attention_device }) => attention_device === "gpu0");
      expect(onCard).toEqual(layers.map((_layer, index) => index >= first_gpu_layer));
    }
  });

  it("are for the machines that are listed: no name is a path", async () => {
    const facts = await jsonOf<{ machines: readonly { machine: string | null }[] }>(
      await open.ask("/hearth/plan"),
    );
    const names = facts.machines.map(({ machine }) => machine);
    expect(names).toEqual([null, "rtx-4090", "rtx-2080ti", "rtx-3060", "rx-7900-xtx", "arc-a770"]);
    const refused = await open.ask("/hearth/plan", { machine: model.path });
    expect([refused.status, await refused.text()]).toEqual([
      400,
      expect.stringContaining("rtx-4090"),
    ]);
  });
});

describe("planning", () => {
  const options = { hardware: "rtx-4090", contextLength: 64 };
  const { signal } = new AbortController();
  setMaxListeners(0, signal);

  it("drops what nobody waits for, and answers the same once for all", async () => {
    const planning = new Planning();
    const first = planning.budgets(model.path, options, signal);
    const gone = new AbortController();
    const unwanted = planning.budgets("no-such.gguf", options, gone.signal);
    gone.abort(new Error("gone"));
    await expect(unwanted).rejects.toThrow("gone");
    const again = planning.budgets(model.path, options, signal);
    expect(await again).toBe(await first);
    expect(await planning.budgets(model.path, options, signal)).toBe(await first);
    await expect(planning.budgets("no-such.gguf", options, signal)).rejects.toThrow("no-such.gguf");
    await planning.close();
  });

  it("lets few wait", async () => {
    const planning = new Planning();
    const asked = Array.from({ length: 17 }, (_, index) =>
      planning.budgets(model.path, { ...options, contextLength: 32 + index }, signal),
    );
    const first = asked[0];
    await expect(asked[16]).rejects.toMatchObject({ failure: { status: 429 } });
    await first;
    await planning.close();
    const results = await Promise.allSettled(asked.slice(1, 16));
    expect(results.filter(({ status }) => status === "rejected").length).toBeGreaterThan(0);
  });
});

describe("a reload", () => {
  const running = async (server: TestServer): Promise<Running | null> =>
    (
      await jsonOf<{ running: Running | null }>(
        await server.ask("/hearth/plan", undefined, asKeyHolder),
      )
    ).running;

  it("is for who has a key", async () => {
    const refused = await open.ask("/hearth/reload", { context: 128 });
    expect([refused.status, await refused.text()]).toEqual([
      403,
      expect.stringContaining("--api-key"),
    ]);
    expect((await running(open))?.context).toBe(512);
  });

  it("lets a running answer end, then has the other context", async () => {
    // Not held against the document, which takes longer than the answer.
    const answer = await fetch(`${locked.url}/v1/completions`, {
      method: "POST",
      headers: asKeyHolder,
      body: JSON.stringify({ prompt: "a", max_tokens: 200, ignore_eos: true, stream: true }),
    });
    const reloaded = locked.ask("/hearth/reload", { context: 128 }, asKeyHolder);
    const text = await answer.text();
    expect(text).toContain('"finish_reason":"length"');
    expect(text).toContain("[DONE]");
    expect((await jsonOf<Running>(await reloaded)).context).toBe(128);
    expect((await running(locked))?.context).toBe(128);
  });

  it.each([
    [{ context: 2 ** 30 }, "contextLength"],
    [{ vram_budget: 1 }, "--device cpu"],
    [{ context: 0 }, "context"],
    [{ contxt: 64 }, "context"],
  ])("of %j is refused before anything is closed", async (body, reason) => {
    const refused = await locked.ask("/hearth/reload", body, asKeyHolder);
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(reason)]);
    expect((await running(locked))?.context).toBe(128);
  });
});
