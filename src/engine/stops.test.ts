/** What ends an answer beside its length, and that an answer's own ids are good for everything that takes ids. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModelFolder, modelFolder } from "../../test/fixtures/changed-model.ts";
import { makeVocabulary } from "../../tools/make-model/vocabulary.ts";
import { metadataValue } from "../gguf/value.ts";
import { Engine } from "./engine.ts";
import type { GenerateOptions } from "./options.ts";

let folder: ModelFolder;
let engine: Engine;

/** The model has 300 rows for the 290 tokens of its vocabulary. */
beforeAll(async () => {
  folder = modelFolder();
  const { tokens, scores, types } = makeVocabulary(290);
  const keys = {
    "tokenizer.ggml.tokens": metadataValue.strings(tokens),
    "tokenizer.ggml.scores": metadataValue.f32s(scores),
    "tokenizer.ggml.token_type": metadataValue.i32s(types),
  };
  engine = await Engine.open(await folder.write("--arch llama", { keys }), { device: "reference" });
});

afterAll(() => {
  engine.close();
  folder[Symbol.dispose]();
});

const greedy = { temperature: 0, ignoreEos: true, maxTokens: 8 } as const;

/** Every token of the answer is `id`. */
const only = (id: number): GenerateOptions => ({ ...greedy, logitBias: { [id]: 1e4 } });

describe("ids of rows that no token has", () => {
  it("come in an answer as no text, and can be given back", async () => {
    const answer = await engine.generate("abc", only(299)).result;
    expect(answer.tokens).toEqual(new Array(8).fill(299));
    expect(answer.text).toBe("");
    expect(engine.detokenize(answer.tokens)).toBe("");
    const next = await engine.generate(answer.tokens, { ...greedy, maxTokens: 2 }).result;
    expect(next.completionTokens).toBe(2);
    expect(() => engine.detokenize([300])).toThrow("token: 300 is not usable");
  });
});

describe("stop tokens", () => {
  const [letter = 0] = [290 - 3];

  it("end the answer, also where the model's own end tokens do not", async () => {
    const whole = await engine.generate("abc", only(letter)).result;
    expect([whole.finishReason, whole.completionTokens]).toEqual(["length", 8]);
    const stopped = await engine.generate("abc", { ...only(letter), stopTokens: [5, letter] })
      .result;
    expect([stopped.finishReason, stopped.completionTokens]).toEqual(["stop", 0]);
    const other = await engine.generate("abc", { ...only(letter), stopTokens: [5] }).result;
    expect(other.tokens).toEqual(whole.tokens);
  });
});

describe("a control token by its name as a stop string", () => {
  const end = 2;

  it("stops the answer, although it is not shown", async () => {
    const whole = await engine.generate("abc", only(end)).result;
    expect([whole.finishReason, whole.completionTokens, whole.text]).toEqual(["length", 8, ""]);
    const stopped = await engine.generate("abc", { ...only(end), stop: ["</s>"] }).result;
    expect([stopped.finishReason, stopped.completionTokens, stopped.text]).toEqual(["stop", 1, ""]);
    const twice = await engine.generate("abc", { ...only(end), stop: ["</s></s>"] }).result;
    expect([twice.finishReason, twice.completionTokens]).toEqual(["stop", 2]);
  });
});
