/** What a profile of experts counts, on made models whose routers prefer some of them or none. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { makeModel } from "../../tools/make-model/make-model.ts";
import { parseOptions } from "../../tools/make-model/options.ts";
import { provedText } from "../../tools/prove-models/text.ts";
import { sidecarModelOf } from "../engine/model-sidecar.ts";
import { openGguf } from "../gguf/open.ts";
import { openModel } from "../model/model.ts";
import { openSidecar } from "../sparsity/sidecar/read.ts";
import { type ExpertProfile, profileExperts } from "./profile-experts.ts";

const folder = mkdtempSync(join(tmpdir(), "profile-experts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const corpus = join(folder, "text.txt");
writeFileSync(corpus, provedText);
const tokens = 600;

let made = 0;
async function profile(args: string): Promise<ExpertProfile> {
  const model = join(folder, `model-${made++}.gguf`);
  const shape = "--dim 64 --layers 3 --ffn 64 --heads 4 --context 256 --type f32";
  await makeModel(parseOptions([model, ...`${shape} ${args}`.split(" ")]));
  return profileExperts(model, { corpora: [corpus], tokens, device: "cpu", threads: 1 });
}

const sum = (values: Float64Array): number => values.reduce((all, value) => all + value, 0);

describe("a profile of experts", () => {
  it("finds those that a router prefers, and that it uses them again soon", async () => {
    const args = "--arch qwen3moe --experts 20 --experts-used 2 --router-skew";
    const skewed = await profile(`${args} 2`);
    expect(skewed).toMatchObject({ tokens, isComplete: true });
    expect(skewed.layers.map(({ layer }) => layer)).toEqual([0, 1, 2]);
    for (const layer of skewed.layers) {
      expect(layer).toMatchObject({ experts: 20, used: 2 });
      // As many as are used; weights of a token sum up to 1.
      expect(sum(layer.frequencies)).toBeCloseTo(2, 10);
      const mass = layer.frequencies.map(
        (share, expert) => share * (layer.meanWeights[expert] ?? 0),
      );
      expect(sum(mass)).toBeCloseTo(1, 3);
      expect(layer.hottestTenth).toBeGreaterThan(2 * layer.hottestTenthOfUniform);
      expect(layer.medianReuse).toBeLessThan(layer.medianReuseOfUniform ?? 0);
    }
    const plain = await profile(`${args} off`);
    const [before, after] = [plain, skewed].map(({ layers }) => layers[1]?.hottestTenth ?? 0);
    expect(after).toBeGreaterThan(1.3 * (before ?? 0));
    expect(skewed.plot()).toMatch(/<svg[\s\S]*model-0\.gguf, 600 tokens[\s\S]*stroke-dasharray/);
  });

  it("passes over layers without experts, in the sidecar too", async () => {
    const { layers, sidecar } = await profile("--arch glm4moe --dense-layers 1 --experts 8");
    expect(layers.map(({ layer }) => layer)).toEqual([1, 2]);
    const model = join(folder, `model-${made - 1}.gguf`);
    const { experts } = openSidecar(sidecar, sidecarModelOf(openModel(openGguf(model))));
    expect(experts).toMatchObject({ tokens, corpora: [{ name: "text.txt" }] });
    expect(experts?.layers[0]).toBeUndefined();
    for (const { layer, frequencies, meanWeights } of layers) {
      const kept = experts?.layers[layer];
      expect(kept?.counts.map((count) => count / tokens)).toEqual(frequencies);
      expect(kept?.weights.map((sum, i) => sum / (kept.counts[i] || 1))).toEqual(meanWeights);
    }
  });

  it("is of no model without experts, and of some text", async () => {
    await expect(profile("--arch llama")).rejects.toThrow(/of a model without any/);
    const model = join(folder, "model-0.gguf");
    await expect(profileExperts(model, { corpora: [] })).rejects.toThrow(/corpus: none/);
  });

  it("of one model is not written into the sidecar of another", async () => {
    const { sidecar } = await profile("--arch qwen3moe --experts 4 --seed 1");
    await profile("--arch qwen3moe --experts 4 --seed 2");
    const other = join(folder, `model-${made - 1}.gguf`);
    let counted = 0;
    const options = {
      corpora: [corpus],
      sidecar,
      device: "cpu",
      onTokens: () => counted++,
    } as const;
    await expect(profileExperts(other, options)).rejects.toThrow(/sidecar of another model/);
    expect(counted).toBe(0);
  });
});
