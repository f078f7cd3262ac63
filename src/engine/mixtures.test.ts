/** A mixture of experts; what knows only the neurons of blocks refuses it by name. */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { prepareModel } from "../commands/prepare/prepare.ts";
import { profileModel } from "../commands/profile.ts";
import { sidecarPathOf } from "../sparsity/sidecar/sidecar.ts";
import { Engine } from "./engine.ts";

let model: TinyModel;

beforeAll(async () => {
  model = await makeTinyModel(["--arch", "glm4moe", "--expert-ffn", "64"]);
});

afterAll(() => {
  rmSync(sidecarPathOf(model.path), { force: true });
  model[Symbol.dispose]();
});

async function answer(options: Parameters<typeof Engine.open>[1]): Promise<string> {
  const engine = await Engine.open(model.path, options);
  try {
    let text = "";
    const settings = { maxTokens: 8, temperature: 0 };
    for await (const { text: piece } of engine.generate("a b c d e f", settings)) text += piece;
    return text;
  } finally {
    engine.close();
  }
}

describe("a mixture of experts", () => {
  it("answers the same with one thread and with two, token by token and in one step", async () => {
    const one = await answer({ device: "cpu", threads: 1 });
    expect(await answer({ device: "cpu", threads: 2 })).toBe(one);
    expect(await answer({ device: "cpu", exact: true, batchSize: 2 })).toBe(
      await answer({ device: "cpu", exact: true }),
    );
    expect(one.length).toBeGreaterThan(0);
  });

  it("is computed whole, whatever its activation", async () => {
    using own = await makeTinyModel(["--arch", "smallthinker", "--expert-ffn", "64"]);
    const engine = await Engine.open(own.path, { device: "cpu" });
    expect(engine.sparsity.method).toBe("dense");
    engine.close();
    const opened = Engine.open(own.path, { device: "cpu", sparsity: "gate" });
    await expect(opened).rejects.toThrow(/sparsity gate for a mixture of 8 experts/);
  });

  it("learns nothing, and says so", async () => {
    const engine = await Engine.open(model.path, { device: "cpu", learn: true });
    expect(engine.notices.join()).toContain("the neurons of experts are not counted one by one");
    engine.close();
  });

  it.each<readonly [string, () => Promise<unknown>]>([
    ["a profile", () => profileModel(model.path, { corpora: [] })],
    ["predictors and thresholds", () => prepareModel(model.path)],
  ])("is refused by %s", async (work, run) => {
    await expect(run()).rejects.toThrow(`${work} for a mixture of 8 experts is not supported`);
  });
});
