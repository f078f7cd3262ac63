/** `showNeurons`: each token with the neurons that computed it, as the counters have them; whoever else is answered meanwhile. */
import { writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bundledModel } from "../../test/fixtures/test-server.ts";
import { makeTinyModel } from "../../test/fixtures/tiny-model.ts";
import { Engine, profileExperts, type ShownToken } from "../index.ts";

const prompt = "Once upon a time";

interface Shown {
  readonly tokens: readonly ShownToken[];
  readonly answer: readonly number[];
}

async function show(engine: Engine, text: string, maxTokens: number): Promise<Shown> {
  const tokens: ShownToken[] = [];
  const showNeurons = { timeShare: 1, onToken: (token: ShownToken) => void tokens.push(token) };
  const options = { maxTokens, temperature: 0, ignoreEos: true, showNeurons };
  const { tokens: answer } = await engine.generate(text, options).result;
  return { tokens, answer };
}

const setsOf = ({ tokens }: Shown): readonly (readonly number[])[][] =>
  tokens.map(({ layers }) => layers.map(({ active = [] }) => [...active]));

describe("the neurons of an answer", () => {
  it("are those that the counters count, for every token but the first", async () => {
    using engine = await Engine.open(bundledModel, { device: "cpu" });
    const shown = await show(engine, prompt, 12);
    expect(shown.tokens.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(shown.tokens.map(({ token }) => token)).toEqual(shown.answer.slice(1));
    expect(shown.tokens.map(({ skipped }) => skipped.length)).toEqual([1, ...Array(10).fill(0)]);
    const { sparsity, neurons } = engine;
    expect(sparsity.tokens).toBe(11);
    sparsity.activeSharePerLayer.forEach((share, layer) => {
      const listed = setsOf(shown).reduce((sum, layers) => sum + (layers[layer]?.length ?? 0), 0);
      expect(listed / (11 * (neurons.layers[layer]?.neurons ?? 0))).toBeCloseTo(share, 12);
    });
    for (const { layers } of shown.tokens)
      for (const { active, activeCount } of layers) expect(active?.length).toBe(activeCount);
  });

  it("are the same in plain TypeScript", async () => {
    using cpu = await Engine.open(bundledModel, { device: "cpu" });
    using reference = await Engine.open(bundledModel, { device: "reference" });
    const [own, plain] = [await show(cpu, prompt, 3), await show(reference, prompt, 3)];
    const all = setsOf(own).flat(2).length;
    const different = setsOf(own).flatMap((layers, token) =>
      layers.flatMap((ids, layer) => {
        const other = new Set(setsOf(plain)[token]?.[layer]);
        return ids.filter((id) => !other.has(id));
      }),
    );
    // Sums in another order: what is a hair above zero may be one below.
    expect(different.length).toBeLessThan(all / 100);
    expect(all).toBeGreaterThan(100);
  });

  it("are each answer's own where several are written at once", async () => {
    using alone = await Engine.open(bundledModel, { device: "cpu" });
    const texts = [prompt, "The sea was"];
    const expected = [await show(alone, prompt, 6), await show(alone, "The sea was", 6)];
    using engine = await Engine.open(bundledModel, { device: "cpu", sequences: 2 });
    const both = await Promise.all(texts.map((text) => show(engine, text, 6)));
    both.forEach(({ tokens, answer }, at) => {
      expect(answer).toEqual(expected[at]?.answer);
      const seen = new Set(tokens.flatMap(({ skipped, token }) => [...skipped, token]));
      // They take turns: no token of the other one is among them.
      expect([...seen].every((token) => answer.includes(token))).toBe(true);
      expect(tokens.length).toBeGreaterThan(0);
      for (const token of tokens) {
        const own = expected[at]?.tokens.find(({ index }) => index === token.index);
        const ids = (one: ShownToken | undefined): readonly number[] => [
          ...(one?.layers[0]?.active ?? []),
        ];
        const common = ids(token).filter((id) => ids(own).includes(id)).length;
        expect(common / ids(own).length).toBeGreaterThan(0.97);
      }
    });
  });

  it("are experts in a mixture, with the profile of these and the bytes of all", async () => {
    const shape = ["--arch", "qwen3moe", "--experts", "8", "--experts-used", "2", "--vocab", "300"];
    using model = await makeTinyModel([...shape, "--expert-ffn", "32", "--router-skew", "1"]);
    const corpus = `${model.path}.txt`;
    writeFileSync(corpus, "The sea was grey and the wind was cold. ".repeat(8));
    const device = "cpu";
    const profile = await profileExperts(model.path, { corpora: [corpus], tokens: 48, device });
    using engine = await Engine.open(model.path, { device });
    const { tokens } = await show(engine, prompt, 4);
    const { layers, profileTokens = 0, bytesDensePerToken, bytesOfBlocks } = engine.neurons;
    expect(bytesDensePerToken).toBe(engine.sparsity.bytesDensePerToken);
    const [experts, used] = [8, 2];
    const read = tokens[0]?.layers.reduce((sum, layer) => sum + layer.bytesTouched, 0) ?? 0;
    expect(bytesOfBlocks - bytesDensePerToken).toBe((read * (experts - used)) / used);
    expect(profileTokens).toBe(profile.tokens);
    for (const { layer, frequencies } of profile.layers) {
      expect(layers[layer]?.experts).toEqual({ count: experts, used });
      const shares = [...(layers[layer]?.profile ?? [])].map((count) => count / profileTokens);
      expect(shares).toEqual([...frequencies]);
    }
    for (const layer of tokens.flatMap((token) => token.layers))
      expect([layer.ofExperts, layer.active?.length]).toEqual([true, used]);
  });

  it("are left out where showing has taken its share of the time, and the tokens are told of", async () => {
    using engine = await Engine.open(bundledModel, { device: "cpu" });
    const tokens: ShownToken[] = [];
    const showNeurons = { timeShare: 0, onToken: (token: ShownToken) => void tokens.push(token) };
    await engine.generate(prompt, { maxTokens: 8, showNeurons }).result;
    expect(tokens).toHaveLength(1);
  });

  it("end the answer where the caller's function throws, and no other", async () => {
    using engine = await Engine.open(bundledModel, { device: "cpu" });
    const onToken = (): void => {
      throw new Error("the looker stumbled");
    };
    const answer = engine.generate(prompt, { maxTokens: 8, showNeurons: { onToken } });
    await expect(answer.result).rejects.toThrow("the looker stumbled");
    expect((await show(engine, prompt, 3)).tokens).toHaveLength(2);
  });
});
