/** What answers teach: counted only when asked, kept apart, folded into the profile once, and then planned with. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { ownCache } from "../../test/fixtures/own-cache.ts";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { type PlacementOptions, planPlacement } from "../commands/plan.ts";
import { openGguf } from "../gguf/open.ts";
import { openModel } from "../model/model.ts";
import { openSidecar } from "../sparsity/sidecar/read.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { updateSidecar } from "../sparsity/sidecar/write.ts";
import { Engine } from "./engine.ts";
import { sidecarModelOf } from "./model-sidecar.ts";
import { shareNotice } from "./report.ts";

const cache = ownCache();
afterAll(() => {
  cache[Symbol.dispose]();
});

const model = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const shape = sidecarModelOf(openModel(openGguf(model)));
const device = { device: "reference", contextLength: 64 } as const;

let made = 0;
async function newSidecar(): Promise<string> {
  const path = join(cache.folder, `${made++}.sparsity.gguf`);
  await updateSidecar(path, shape, {});
  return path;
}

/** Writes so many tokens and returns the activations of each layer, as the engine reports them. */
async function answer(sidecar: string, tokens: number): Promise<readonly number[]> {
  const options = { ...device, sidecar, learn: true, sparsity: "gate" } as const;
  const engine = await Engine.open(model, options);
  await engine.generate("It was", { maxTokens: tokens, temperature: 0, ignoreEos: true }).result;
  const { activeSharePerLayer, tokens: decoded } = engine.sparsity;
  const active = activeSharePerLayer.map((share, i) =>
    Math.round(share * decoded * (shape.neurons[i] ?? 0)),
  );
  const learnt = await engine.learnAndClose();
  expect(learnt).toEqual({ tokens: decoded, sidecar });
  return active;
}

function sums(counts: readonly Float64Array[] | undefined): readonly number[] {
  return (counts ?? []).map((layer) => layer.reduce((sum, count) => sum + count, 0));
}

function read(sidecar: string): Sidecar {
  return openSidecar(sidecar, shape);
}

describe("an engine that learns", () => {
  it("adds its counts to what was learnt before and leaves the profile alone", async () => {
    const sidecar = await newSidecar();
    const first = await answer(sidecar, 5);
    const once = read(sidecar);
    expect(once.profile).toBeUndefined();
    expect(sums(once.learnt?.counts)).toEqual(first);
    const second = await answer(sidecar, 3);
    const both = first.map((sum, layer) => sum + (second[layer] ?? 0));
    expect(sums(read(sidecar).learnt?.counts)).toEqual(both);
  });

  it("writes nothing unless it was asked to, and makes the sidecar where there is none", async () => {
    using tiny = await makeTinyModel(["--activation", "relu"]);
    const path = tiny.path.replace(/\.gguf$/, ".sparsity.gguf");
    const write = async (options: { readonly learn?: boolean }) => {
      const engine = await Engine.open(tiny.path, { device: "reference", ...options });
      await engine.generate([1, 2, 3], { maxTokens: 4, ignoreEos: true }).result;
      return engine.learnAndClose();
    };
    expect(await write({})).toBeUndefined();
    expect(existsSync(path)).toBe(false);
    const learnt = await write({ learn: true });
    expect(learnt?.sidecar).toBe(path);
    expect(learnt?.tokens).toBeGreaterThan(0);
    expect(existsSync(path)).toBe(true);
  });

  it("says why it learns nothing from a method that computes every neuron", async () => {
    const engine = await Engine.open(model, { ...device, learn: true, sparsity: "dense" });
    expect(engine.notices.join()).toMatch(/nothing is learnt: sparsity dense/);
    expect(await engine.learnAndClose()).toBeUndefined();
  });
});

describe("a plan that is refreshed", () => {
  it("folds the counts in once and takes the place of the plan that was kept", async () => {
    const sidecar = await newSidecar();
    const options = {
      sidecar,
      hardware: "rtx-4090",
      vramBudget: 400_000,
      contextLength: 64,
      sparsity: "gate",
    } satisfies PlacementOptions;
    const plans = (): readonly string[] => readdirSync(join(cache.folder, "hearth", "plans"));
    const before = await planPlacement(model, options);
    expect(before.text).toMatch(/No activation profile/);
    const kept = plans();
    await answer(sidecar, 6);
    const learnt = read(sidecar).learnt;
    expect((await planPlacement(model, options)).json).toEqual(before.json);
    const after = await planPlacement(model, { ...options, refresh: true });
    expect(after.learntTokens).toBe(learnt?.tokens);
    expect(after.text).not.toMatch(/No activation profile/);
    expect(plans()).toHaveLength(kept.length);
    expect(plans()).not.toEqual(kept);
    const { profile, learnt: left } = read(sidecar);
    expect(profile).toMatchObject({ tokens: learnt?.tokens, counts: learnt?.counts });
    expect([left?.tokens, ...sums(left?.counts)]).toEqual([0, ...shape.neurons.map(() => 0)]);
    const again = await planPlacement(model, { ...options, refresh: true });
    expect(again.learntTokens).toBe(0);
    expect(read(sidecar).profile?.tokens).toBe(profile?.tokens);
  });
});

describe("notice about the GPU's share", () => {
  it("is given when it falls short by more than the margin, and after enough tokens", () => {
    const share = { observed: 0.44, expected: 0.5, tokens: 32 };
    expect(shareNotice(share)).toMatch(/44 %.*50 %.*hearth plan --refresh/);
    expect(shareNotice({ ...share, observed: 0.46 })).toBeUndefined();
    expect(shareNotice({ ...share, observed: 0.9 })).toBeUndefined();
    expect(shareNotice({ ...share, tokens: 31 })).toBeUndefined();
  });
});
