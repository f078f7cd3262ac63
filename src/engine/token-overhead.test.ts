/** What a token takes beside its products: measured for programs of every kind, once each, without a weight being read. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { modelFolder } from "../../test/fixtures/changed-model.ts";
import { readHeaderRecords, writeHeaderFile } from "../../test/fixtures/header-file.ts";
import { ownCache } from "../../test/fixtures/own-cache.ts";
import { loadAddon } from "../backends/addon.ts";
import { packagePath } from "../core/package-root.ts";
import { openSetup } from "./model-setup.ts";
import { denseSparsity } from "./resolve-sparsity.ts";
import { tokenOverhead } from "./token-overhead.ts";

const models = modelFolder();
const cache = ownCache();
afterAll(() => {
  models[Symbol.dispose]();
  cache[Symbol.dispose]();
});

const gate = { ...denseSparsity, methodFor: () => ({ kind: "gate" }) as const };

async function overheadOf(path: string, sparsity = denseSparsity): Promise<number> {
  const setup = await openSetup(path, { sparsity: "dense" }, "per sequence");
  return tokenOverhead({ ...setup, sparsity }, 1);
}

const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";

describe.skipIf(addon.kind === "missing")(
  `what a token takes beside its products${skipped}`,
  () => {
    // Norms of heads, windows, experts, states of fixed size, keys of another layer: all that is beside matrices.
    it.each(["llama", "gemma3", "gemma4", "gpt-oss", "qwen35moe", "opt"])(
      "is some time below a second for %s",
      async (architecture) => {
        const seconds = await overheadOf(await models.write(`--arch ${architecture}`));
        expect(seconds).toBeGreaterThan(1e-7);
        expect(seconds).toBeLessThan(1);
      },
    );

    it("is found where logits are multiplied by much", async () => {
      const path = await models.write("--arch cohere2 --logit-scale 100");
      expect(await overheadOf(path)).toBeGreaterThan(1e-7);
    });

    it("is measured once for a program, and apart for one that chooses neurons", async () => {
      const path = packagePath("models/default.gguf");
      const first = await overheadOf(path);
      const sparse = await overheadOf(path, gate);
      // No two measurements agree in every digit.
      expect(sparse).not.toBe(first);
      expect(await overheadOf(path)).toBe(first);
      expect(await overheadOf(path, gate)).toBe(sparse);
    });

    it("needs the header of a file alone", async () => {
      const record = readHeaderRecords().get("SmolLM3-3B");
      if (record === undefined) throw new Error("no header of SmolLM3-3B");
      const path = join(cache.folder, "holes.gguf");
      writeHeaderFile(path, record, 1024);
      expect(await overheadOf(path)).toBeGreaterThan(0);
      rmSync(path);
    });
  },
);
