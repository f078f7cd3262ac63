/** Mixtures of experts on the GPU: the reference's greedy tokens, from a prompt of several rows on. */
import { describe, expect, it, vi } from "vitest";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { GpuReport } from "../../src/engine/report.ts";
import { makeTinyModel } from "../fixtures/tiny-model.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const hasNoDriver = (await listAdapters()).length === 0;
const settings = { maxTokens: 12, temperature: 0 };

async function answer(
  path: string,
  device: "gpu" | "reference",
): Promise<{ readonly text: string; readonly gpu: GpuReport | undefined }> {
  const engine = await Engine.open(path, { device });
  try {
    let text = "";
    for await (const piece of engine.generate("a b c d e f g", settings)) text += piece.text;
    const { gpu } = await engine.report();
    return { text, gpu };
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
  ])(
    "%s writes the reference's tokens, and its routes stay on the card",
    async (architecture, type) => {
      using model = await makeTinyModel([
        "--arch",
        architecture,
        "--expert-ffn",
        "64",
        "--type",
        type,
      ]);
      const expected = await answer(model.path, "reference");
      expect(expected.text.length).toBeGreaterThan(0);
      const { text, gpu } = await answer(model.path, "gpu");
      expect(text).toBe(expected.text);
      // Of a token that is written the best one alone comes back, after two submissions: layers and output.
      const { bytesReadBack, buffers, bindGroups, submits } = gpu!.perToken;
      expect(bytesReadBack).toBeGreaterThanOrEqual(4);
      expect(bytesReadBack).toBeLessThanOrEqual(64);
      expect([buffers, bindGroups, submits]).toEqual([0, 0, 2]);
    },
  );
});
