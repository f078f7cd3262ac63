/** What a caller in plain JavaScript can hand over: every public method answers with an error that names it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeTinyModel, type TinyModel } from "../../test/fixtures/tiny-model.ts";
import { modelAbilities } from "../commands/abilities.ts";
import { inspectModel, openTokenizer } from "../commands/inspect.ts";
import { perplexity } from "../commands/perplexity.ts";
import { planPlacement } from "../commands/plan.ts";
import { prepareModel, trainPredictors } from "../commands/prepare/prepare.ts";
import { OptionError } from "../core/errors.ts";
import { measureMachine } from "../devices/hardware/measure-machine.ts";
import { Engine } from "./engine.ts";

let model: TinyModel;
let engine: Engine;

beforeAll(async () => {
  model = await makeTinyModel();
  engine = await Engine.open(model.path, { device: "reference" });
});

afterAll(() => {
  engine.close();
  model[Symbol.dispose]();
});

/** Calls as plain JavaScript does: with whatever there is. */
function call(target: object, name: string, ...values: readonly unknown[]): unknown {
  const method: unknown = Reflect.get(target, name);
  if (typeof method !== "function") throw new Error(`no method ${name}`);
  return Reflect.apply(method, target, values);
}

const conversation = [{ role: "user", content: "hi" }];

describe("a wrong value", () => {
  it.each<readonly [string, ...unknown[]]>([
    ["prompt", undefined],
    ["prompt", null],
    ["prompt", 3],
    ["prompt", {}],
    ["prompt", []],
    ["prompt", ["a"]],
    ["prompt", [1.5]],
    ["generate options", "a", null],
    ["generate options", "a", 3],
    ["maxTokens", "a", { maxTokens: "5" }],
    ["maxTokens", "a", { maxTokens: null }],
    ["temperature", "a", { temperature: "0.5" }],
    ["topP", "a", { topP: null }],
    ["seed", "a", { seed: null }],
    ["stop", "a", { stop: "b" }],
    ["stop", "a", { stop: [3] }],
    ["logitBias", "a", { logitBias: null }],
    ["logitBias", "a", { logitBias: new Map([[3, 1]]) }],
    ["logitBias", "a", { logitBias: new Set([3]) }],
    ["logitBias", "a", { logitBias: new WeakMap() }],
    ["logitBias", "a", { logitBias: Float32Array.of(1, 2) }],
    ["stopTokens", "a", { stopTokens: 3 }],
    ["stopTokens", "a", { stopTokens: [-1] }],
    ["stopTokens", "a", { stopTokens: [1000000] }],
    ["logitBias", "a", { logitBias: { 3: "x" } }],
    ["logitBias", "a", { logitBias: { 1000000: 1 } }],
    ["signal", "a", { signal: 3 }],
    ["ignoreEos", "a", { ignoreEos: "no" }],
    ["penaltyWindow", "a", { penaltyWindow: 1e12 }],
    ["onPromptProgress", "a", { onPromptProgress: 3 }],
  ])("of generate names the option it refuses: %s (%j, %j)", (option, ...values) => {
    expect(() => call(engine, "generate", ...values)).toThrow(OptionError);
    expect(() => call(engine, "generate", ...values)).toThrow(`${option}: `);
  });

  it.each<readonly [string, ...unknown[]]>([
    ["messages", undefined],
    ["messages", []],
    ["messages", "hi"],
    ["messages[0]", [null]],
    ["messages[0].role", [{}]],
    ["messages[0].content", [{ role: "user" }]],
    ["messages[0].content", [{ role: "user", content: [{ type: "image_url", text: "x" }] }]],
    ["chat options", conversation, null],
    ["stop", conversation, { stop: "abc" }],
  ])("of chat names the option it refuses: %s (%j, %j)", (option, ...values) => {
    expect(() => call(engine, "chat", ...values)).toThrow(OptionError);
    expect(() => call(engine, "chat", ...values)).toThrow(`${option}: `);
  });

  it.each<readonly [string, string, ...unknown[]]>([
    ["text", "tokenize", undefined],
    ["text", "tokenize", 3],
    ["encode options", "tokenize", "a", null],
    ["addBos", "tokenize", "a", { addBos: true }],
    ["tokens", "detokenize", undefined],
    ["tokens", "detokenize", "12"],
    ["token", "detokenize", [1e9]],
    ["token", "detokenize", new Float32Array([1.5])],
  ])("names the option it refuses: %s of %s (%j)", (option, method, ...values) => {
    expect(() => call(engine, String(method), ...values)).toThrow(OptionError);
    expect(() => call(engine, String(method), ...values)).toThrow(`${option}: `);
  });

  it.each<readonly [string, unknown, unknown?]>([
    ["path", undefined],
    ["path", 3],
    ["path", ""],
    ["path", new URL("file:///model.gguf")],
    ["engine options", "model", null],
    ["engine options", "model", []],
    ["threads", "model", { threads: "2" }],
    ["contextLength", "model", { contextLength: null }],
    ["device", "model", { device: null }],
    ["gpu", "model", { gpu: {} }],
    ["vramBudget", "model", { vramBudget: "8GiB" }],
    ["signal", "model", { signal: {} }],
    ["onProgress", "model", { onProgress: 3 }],
  ])(
    "of Engine.open is refused before a file is looked at: %s (%j, %j)",
    async (option, ...values) => {
      await expect(call(Engine, "open", ...values)).rejects.toThrow(OptionError);
      await expect(call(Engine, "open", ...values)).rejects.toThrow(`${option}: `);
    },
  );

  it.each<readonly [string, unknown, unknown?]>([
    ["source", undefined],
    ["source", ["a"]],
    ["perplexity options", "text", null],
    ["window", "text", { window: "8" }],
    ["maxTokens", "text", { maxTokens: -1 }],
  ])("of perplexity names the option it refuses: %s (%j, %j)", async (option, source, options) => {
    const result = Reflect.apply(perplexity, undefined, [model.path, source, options]);
    await expect(result).rejects.toThrow(`${option}: `);
  });

  it.each<readonly [string, unknown]>([
    ["corpora: ", { corpora: "book.txt" }],
    ["recall: ", { recall: 0 }],
    ["maxRatio: ", { maxRatio: "2" }],
    ["finished: ", { finished: true }],
    ['train-predictor has no option "checkTokens"', { checkTokens: 5 }],
  ])(
    "of trainPredictors is refused before a file is looked at, by name: %s (%j)",
    async (text, options) => {
      const result = Reflect.apply(trainPredictors, undefined, ["no-such.gguf", options]);
      await expect(result).rejects.toThrow(text);
    },
  );

  it.each<readonly [string, unknown]>([
    ["checkTokens: ", { checkTokens: 0 }],
    ["maxPerplexityLoss: ", { maxPerplexityLoss: -1 }],
    ['prepare has no option "corpus"; did you mean "corpora"?', { corpus: ["book.txt"] }],
  ])(
    "of prepareModel is refused before a file is looked at, by name: %s (%j)",
    async (text, options) => {
      const result = Reflect.apply(prepareModel, undefined, ["no-such.gguf", options]);
      await expect(result).rejects.toThrow(text);
    },
  );

  it.each<readonly [string, unknown]>([
    ["plan options: ", null],
    ["solver: ", { solver: "best" }],
    ["curvePoints: ", { curvePoints: -1 }],
    ["refresh: ", { refresh: 1 }],
    ['plan has no option "device"', { device: "hybrid" }],
  ])(
    "of planPlacement is refused before a file is looked at, by name: %s (%j)",
    async (text, options) => {
      const result = Reflect.apply(planPlacement, undefined, ["no-such.gguf", options]);
      await expect(result).rejects.toThrow(text);
    },
  );

  it.each<readonly [string, unknown]>([
    ["threads: ", { threads: 0 }],
    ["gpu: ", { gpu: -1 }],
    ['measure has no option "cards"', { cards: 1 }],
  ])("of measureMachine names the option it refuses: %s (%j)", async (text, options) => {
    const result = Reflect.apply(measureMachine, undefined, [options]);
    await expect(result).rejects.toThrow(text);
  });

  it("is refused where a file is only looked at", () => {
    expect(() => Reflect.apply(inspectModel, undefined, [null])).toThrow("path: null");
    expect(() => Reflect.apply(openTokenizer, undefined, [3])).toThrow("path: 3");
    expect(() => Reflect.apply(modelAbilities, undefined, [3])).toThrow("path: 3");
    expect(() => inspectModel("no-such.gguf")).toThrow("no-such.gguf: no such file");
  });
});

describe("undefined", () => {
  it("is an option that was not given", async () => {
    const options: object = {
      temperature: undefined,
      seed: undefined,
      stop: undefined,
      maxTokens: 2,
    };
    expect((await engine.generate("a", options).result).completionTokens).toBe(2);
  });
});

describe("a context of one token", () => {
  it("is shifted like any other", async () => {
    const tiny = await Engine.open(model.path, { device: "reference", contextLength: 1 });
    const shifting = { contextShift: true, ignoreEos: true, maxTokens: 5 };
    const { finishReason, completionTokens } = await tiny.generate([3], shifting).result;
    expect([finishReason, completionTokens]).toEqual(["length", 5]);
    tiny.close();
  });
});
