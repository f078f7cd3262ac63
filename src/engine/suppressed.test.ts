/** Tokens that a file says are never part of an answer (tokenizer.ggml.suppress_tokens), as Gemma 4's do. */
import { afterAll, expect, it } from "vitest";
import { type Changes, modelFolder } from "../../test/fixtures/changed-model.ts";
import { metadataValue } from "../gguf/value.ts";
import { Engine } from "./engine.ts";
import type { GenerateOptions } from "./options.ts";

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

async function answer(changes: Changes, options: GenerateOptions = {}): Promise<readonly number[]> {
  const path = await folder.write("--arch llama --type f32", changes);
  const engine = await Engine.open(path, { device: "reference" });
  try {
    const greedy = { temperature: 0, ignoreEos: true, maxTokens: 6, ...options };
    return (await engine.generate([1, 7, 9], greedy).result).tokens;
  } finally {
    engine.close();
  }
}

it("come in no answer, but where the caller gives them a bias", async () => {
  const [first = 0, second = 0] = await answer({});
  const keys = { "tokenizer.ggml.suppress_tokens": metadataValue.i32s([first, second]) };
  const other = await answer({ keys });
  expect(other).toHaveLength(6);
  expect(other).not.toContain(first);
  expect(other).not.toContain(second);
  expect(await answer({ keys }, { logitBias: { [first]: 1e4 } })).toContain(first);
});

it("are ignored with a notice where there is no such token", async () => {
  const keys = { "tokenizer.ggml.suppress_tokens": metadataValue.i32s([300, 5]) };
  const engine = await Engine.open(await folder.write("--arch llama", { keys }), {
    device: "reference",
  });
  expect(engine.tokenizer.special.suppressed).toEqual([5]);
  expect(engine.notices.join()).toMatch(
    /suppress_tokens is 300, but the vocabulary has 300 tokens/,
  );
  engine.close();
});
