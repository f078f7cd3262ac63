/** The longest context by a card's memory: the card here is a description, and bytes are counted as the GPU backend allocates them. */
import { afterAll, describe, expect, it } from "vitest";
import { describedAdapter } from "../../test/fixtures/described-adapter.ts";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { listAdapters } from "../backends/webgpu/adapter.ts";
import type { AdapterDescription } from "../backends/webgpu/adapter-description.ts";
import { OptionError } from "../core/errors.ts";
import { type Bytes, GiB } from "../core/units.ts";
import { contextOnCard, withLargestContext } from "./largest-context.ts";
import { type ModelSetup, openSetup } from "./model-setup.ts";
import { wholeModelBytes } from "./open-gpu.ts";
import type { EngineOptions } from "./options.ts";
import { cacheBytes } from "./resolve-options.ts";

const own = 16_384;
const model = await makeTinyModel(["--context", String(own)]);
afterAll(() => model[Symbol.dispose]());

const card: AdapterDescription = { ...describedAdapter, memory: GiB };

const adapters = await listAdapters().catch(() => []);
const [adapter] = adapters;
const skipped = adapter === undefined ? " (skipped: no GPU driver)" : "";

const setupFor = (options: EngineOptions): Promise<ModelSetup> =>
  openSetup(model.path, { contextLength: "largest", sequences: 4, ...options }, "per sequence");

const at = (setup: ModelSetup, contextLength: number): ModelSetup => ({
  ...setup,
  options: { ...setup.options, contextLength },
});
const bytesAt = (setup: ModelSetup, contextLength: number): Bytes =>
  wholeModelBytes(at(setup, contextLength), card);

describe("the longest context on a card", () => {
  it("is the model's own where the card has room for it", async () => {
    const setup = await setupFor({ device: "gpu" });
    expect(contextOnCard(setup, card)).toBe(own);
  });

  it("is the last that fits into a budget beside the weights, for all sequences", async () => {
    const plain = await setupFor({ device: "gpu" });
    const budget = bytesAt(plain, 5000);
    const setup = await setupFor({ device: "gpu", vramBudget: budget });
    const context = contextOnCard(setup, card);
    expect(context).toBe(4864);
    expect(bytesAt(setup, context)).toBeLessThanOrEqual(budget);
    expect(bytesAt(setup, context + 256)).toBeGreaterThan(budget);
  });

  it("leaves a tenth of the card to others, and what they have taken of it", async () => {
    const setup = await setupFor({ device: "gpu" });
    const memory = bytesAt(setup, 8192);
    const context = contextOnCard(setup, { ...card, memory });
    expect(bytesAt(setup, context)).toBeLessThan(0.9 * memory);
    const free = Math.floor(memory / 2);
    const beside = contextOnCard(setup, { ...card, memory, free });
    expect(beside).toBeLessThan(context);
    expect(bytesAt(setup, beside)).toBeLessThan(free);
  });

  it("binds no more at once than the card can", async () => {
    const setup = await setupFor({ device: "gpu" });
    const maxBindingBytes = 2 ** 20;
    const context = contextOnCard(setup, { ...card, maxBindingBytes });
    expect(context).toBeLessThan(own);
    expect(() => wholeModelBytes(at(setup, context), { ...card, maxBindingBytes })).not.toThrow();
  });

  it("leaves the card to weights where both devices hold the model", async () => {
    const plain = await setupFor({ device: "hybrid" });
    const vramBudget = 4 * cacheBytes(plain.model, { ...plain.options, contextLength: 2048 });
    expect(contextOnCard(await setupFor({ device: "hybrid", vramBudget }), card)).toBe(2048);
    // The same card would hold it as a whole with a longer one.
    expect(contextOnCard(await setupFor({ device: "auto", vramBudget }), card)).toBeGreaterThan(
      4096,
    );
  });

  it("is not shortened below 4096 to have the whole model on the card, where nothing is asked for", async () => {
    const plain = await setupFor({ device: "auto" });
    const vramBudget = bytesAt(plain, 2048);
    const asked = contextOnCard(await setupFor({ device: "gpu", vramBudget }), card);
    expect(asked).toBe(2048);
    const auto = await setupFor({ device: "auto", vramBudget });
    const shared = contextOnCard(await setupFor({ device: "hybrid", vramBudget }), card);
    expect(contextOnCard(auto, card)).toBe(shared);
  });

  it("is unknown on a card of unknown size: a budget is asked for, before anything is loaded", async () => {
    const { memory: _, ...unknown } = card;
    const setup = await setupFor({ device: "gpu" });
    expect(() => contextOnCard(setup, unknown)).toThrow(OptionError);
    expect(() => contextOnCard(setup, unknown)).toThrow(/memory of card is unknown.*a budget/);
  });

  it.runIf(adapter !== undefined)(`is that of this machine's card${skipped}`, async () => {
    const plain = await setupFor({ device: "gpu" });
    const vramBudget = bytesAt(plain, 3000);
    const setup = await setupFor({ device: "gpu", gpu: 0, vramBudget });
    const { options } = await withLargestContext(setup);
    expect(options.contextLength).toBe(adapter && contextOnCard(setup, adapter));
    expect(options.contextLength).toBeLessThan(own);
  });
});
