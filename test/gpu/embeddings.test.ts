/** Embeddings on a card are the processor's. */
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000 });

const adapters = await listAdapters();
const path = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const texts = ["The king lives in a castle.", "Once"];

async function vectors(options: EngineOptions): Promise<readonly Float32Array[]> {
  using engine = await Engine.open(path, { contextLength: 32, cacheType: "f32", ...options });
  const embeddings = await engine.embed(texts);
  return embeddings.map(({ vector }) => vector);
}

describe.skipIf(adapters.length === 0)("embeddings on the GPU (skipped without a driver)", () => {
  it("are the CPU's", async () => {
    const expected = await vectors({ device: "cpu" });
    const found = await vectors({ device: "gpu", gpu: 0 });
    for (const [i, vector] of expected.entries()) {
      const squares = vector.map((value, at) => (value - found[i]![at]!) ** 2);
      // Both round to f32 alone: some thousand roundings of 2^-24 on the way, of which most cancel out.
      expect(Math.sqrt(squares.reduce((a, b) => a + b))).toBeLessThan(1e-5);
    }
  });
});
