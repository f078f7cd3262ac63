/** Mixtures of experts on the GPU: the reference's greedy tokens, from a prompt of several rows on. */
import { describe, expect, it, vi } from "vitest";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { Engine } from "../../src/engine/engine.ts";
import { makeTinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const hasNoDriver = (await listAdapters()).length === 0;
const settings = { maxTokens: 12, temperature: 0 };

async function answer(path: string, device: "gpu" | "reference"): Promise<string> {
  const engine = await Engine.open(path, { device });
  try {
    let text = "";
    for await (const piece of engine.generate("a b c d e f g", settings)) text += piece.text;
    return text;
  } finally {
    engine.close();
  }
}

const reason = hasNoDriver ? " (skipped: no driver)" : "";
describe.skipIf(hasNoDriver)(`mixtures of experts on the GPU${reason}`, () => {
  it.each([
    // Two routes of eight; clamped experts with biases, weighed by the softmax of the chosen.
    ["qwen3moe", "q8_0"],
    ["gpt-oss", "mxfp4"],
  ])("%s writes the reference's tokens", async (architecture, type) => {
    using model = await makeTinyModel([
      "--arch",
      architecture,
      "--expert-ffn",
      "64",
      "--type",
      type,
    ]);
    const expected = await answer(model.path, "reference");
    expect(expected.length).toBeGreaterThan(0);
    expect(await answer(model.path, "gpu")).toBe(expected);
  });
});
