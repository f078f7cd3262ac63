/** Models of a folder, with room for one: requests for both are answered, each by the one it names. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bundledModel,
  jsonOf,
  startTestServer,
  type TestServer,
} from "../../../test/fixtures/test-server.ts";
import { makeTinyModel, type TinyModel } from "../../../test/fixtures/tiny-model.ts";

let folder = "";
let tiny: TinyModel;
let test: TestServer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "hearth-models-"));
  tiny = await makeTinyModel();
  mkdirSync(join(folder, "small"));
  copyFileSync(tiny.path, join(folder, "small/tiny.gguf"));
  copyFileSync(bundledModel, join(folder, "stories.gguf"));
  // What was learnt about a model is no model, nor is a further part of a split one.
  copyFileSync(tiny.path, join(folder, "other.sparsity.gguf"));
  copyFileSync(tiny.path, join(folder, "big-00002-of-00003.gguf"));
  test = await startTestServer({ models: folder, maxModels: 1 });
});
afterAll(async () => {
  await test[Symbol.asyncDispose]();
  tiny[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

interface Completion {
  readonly model: string;
  readonly choices: readonly { readonly text: string }[];
}

const ask = async (model: string): Promise<Completion> => {
  const body = {
    model,
    prompt: "Once upon a time",
    max_tokens: 8,
    temperature: 0,
    ignore_eos: true,
  };
  const response = await test.ask("/v1/completions", body);
  expect(response.status).toBe(200);
  return jsonOf<Completion>(response);
};

describe("a folder of models", () => {
  it("is listed by the names of its files", async () => {
    const { data } = await jsonOf<{ data: { id: string }[] }>(await test.ask("/v1/models"));
    expect(data.map(({ id }) => id)).toEqual(["small/tiny", "stories"]);
    const one = await jsonOf<{ id: string }>(await test.ask("/v1/models/small/tiny"));
    expect(one.id).toBe("small/tiny");
  });

  it("answers requests for both at the same time, though one fits", async () => {
    const names = ["stories", "small/tiny", "stories", "small/tiny", "stories"];
    const answers = await Promise.all(names.map(ask));
    expect(answers.map(({ model }) => model)).toEqual(names);
    expect(new Set(answers.map(({ choices }) => choices[0]?.text)).size).toBe(2);
    const { data } = await jsonOf<{ data: { status: { value: string } }[] }>(
      await test.ask("/v1/models"),
    );
    expect(data.filter(({ status }) => status.value === "loaded")).toHaveLength(1);
  });

  it("loads a model again whose file was written to", async () => {
    const before = await ask("stories");
    utimesSync(join(folder, "stories.gguf"), 1, 1);
    expect(await ask("stories")).toMatchObject({ choices: [{ text: before.choices[0]?.text }] });
  });

  it.each([
    [{ model: "no-such" }, 404, /no model "no-such"; there are small\/tiny, stories/],
    [{}, 400, /a name is needed/],
  ])("refuses %j by the names that there are", async (named, status, said) => {
    const response = await test.ask("/v1/completions", { prompt: "x", ...named });
    const { error } = await jsonOf<{ error: { message: string; param: string } }>(response);
    expect([response.status, error.param]).toEqual([status, "model"]);
    expect(error.message).toMatch(said);
  });
});
