/** llama-server's own interface, against the bundled model. What native llama-server answers is in the comments. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  eventsOf,
  jsonOf,
  startTestServer,
  type TestServer,
} from "../../../test/fixtures/test-server.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-slots-"));
const key = { "x-api-key": "secret" };
let open: TestServer;
let keyed: TestServer;
beforeAll(async () => {
  open = await startTestServer({ parallel: 2, contextLength: 64 });
  keyed = await startTestServer({ apiKeys: ["secret"], slotSavePath: folder, contextLength: 64 });
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const greedy = { prompt: "Once upon a", n_predict: 3, temperature: 0 };

interface Completion {
  readonly content: string;
  readonly tokens: readonly number[];
  readonly stop_type: string;
  readonly error?: { readonly message: string; readonly code: number };
}

interface Told {
  readonly prompt_progress?: { readonly processed: number };
  readonly timings?: { readonly predicted_n: number };
  readonly tokens_evaluated?: number;
}

const complete = async (body: object): Promise<Completion> =>
  jsonOf(await open.ask("/completion", { ...greedy, ...body }));

describe("/completion", () => {
  it("answers as llama-server does", async () => {
    const found = await complete({ return_tokens: true, n_probs: 2, stop: ["zzz"], seed: 5 });
    // {"content":" very few days","tokens":[513,1109,1174],…} of the same file.
    expect(found).toMatchObject({
      index: 0,
      content: " very few days",
      tokens: [513, 1109, 1174],
      stop: true,
      model: "default",
      tokens_predicted: 3,
      tokens_evaluated: 5,
      generation_settings: { temperature: 0, stop: ["zzz"], n_predict: 3, seed: 5 },
      // Native llama-server writes the beginning, too.
      prompt: "<|endoftext|>Once upon a",
      has_new_line: false,
      truncated: false,
      stop_type: "limit",
      stopping_word: "",
      tokens_cached: 7,
      timings: { predicted_n: 3 },
      completion_probabilities: [
        {
          id: 513,
          token: " very",
          bytes: [32, 118, 101, 114, 121],
          logprob: expect.closeTo(-4.4688, 2),
          top_logprobs: [{ id: 513 }, { id: 428, logprob: expect.closeTo(-4.675, 2) }],
        },
        { id: 1109 },
        { id: 1174 },
      ],
    });
  });

  it("streams events, of which the last one has stop", async () => {
    for (const url of ["/completion", "/completions"]) {
      const response = await open.ask(url, { ...greedy, stream: true });
      const events = (await eventsOf(response)) as (Completion & { readonly stop: boolean })[];
      expect(events.map(({ stop }) => stop)).toEqual([false, false, false, true]);
      expect(events.map(({ content }) => content).join("")).toBe(" very few days");
      expect(events.flatMap(({ tokens }) => tokens)).toEqual([513, 1109, 1174]);
      expect(events.at(-1)).toMatchObject({ stop_type: "limit", tokens_predicted: 3 });
    }
  });

  it("tells the reading of the prompt and the times of each token, where that is asked for", async () => {
    const prompt = "Long ago in a far away land ".repeat(4);
    const asked = { ...greedy, prompt, stream: true, cache_prompt: false };
    const told = { return_progress: true, timings_per_token: true };
    const events = (await eventsOf(await open.ask("/completion", { ...asked, ...told }))) as Told[];
    const reading = events.flatMap(({ prompt_progress: progress }) => progress ?? []);
    const total = events.at(-1)?.tokens_evaluated ?? 0;
    expect(reading[0]).toMatchObject({ total, cache: 0, processed: 0 });
    expect(reading.at(-1)).toMatchObject({ total, cache: 0, processed: total });
    const timed = events.slice(reading.length).map(({ timings }) => timings?.predicted_n);
    expect(timed).toHaveLength(4);
    expect(timed.at(-1)).toBe(3);
    const messages = [{ role: "user", content: prompt }];
    const chat = { messages, max_tokens: 12, stream: true, temperature: 0, ignore_eos: true };
    const chunks = (await eventsOf(
      await open.ask("/v1/chat/completions", { ...chat, ...told }),
    )) as Told[];
    expect(chunks[0]).toMatchObject({ choices: [{ delta: { role: "assistant" } }] });
    expect(chunks.filter((chunk) => chunk.prompt_progress).length).toBeGreaterThan(1);
    expect(chunks.filter((chunk) => chunk.timings).length).toBeGreaterThanOrEqual(2);
  });

  it("gives probabilities of the draw, of which there are as many as the samplers leave", async () => {
    const drawn = { n_probs: 5, post_sampling_probs: true, temperature: 1, top_k: 2, seed: 1 };
    const { completion_probabilities: tokens } = (await complete({ ...drawn, n_predict: 8 })) as {
      completion_probabilities: {
        id: number;
        prob: number;
        top_probs: { id: number; prob: number }[];
      }[];
    } & Completion;
    expect(tokens).toHaveLength(8);
    for (const { id, prob, top_probs: top } of tokens) {
      expect(top.length).toBeLessThanOrEqual(2);
      expect(top.reduce((sum, one) => sum + one.prob, 0)).toBeCloseTo(1, 6);
      expect(top.find((one) => one.id === id)?.prob).toBe(prob);
    }
    expect(tokens.some(({ top_probs }) => top_probs.length === 2)).toBe(true);
  });

  it("takes token ids, and several prompts at once", async () => {
    const { tokens } = await jsonOf<{ tokens: number[] }>(
      await open.ask("/tokenize", { content: greedy.prompt, add_special: true }),
    );
    expect((await complete({ prompt: tokens })).content).toBe(" very few days");
    const several = await complete({ prompt: [greedy.prompt, tokens, "A"] });
    expect(several).toMatchObject([
      { index: 0, content: " very few days" },
      { index: 1, content: " very few days" },
      { index: 2 },
    ]);
  });

  it("keeps to a grammar, or to a schema", async () => {
    const grammar = 'root ::= " one" | " two"';
    expect([" one", " two"]).toContain((await complete({ grammar, n_predict: 20 })).content);
    const json_schema = { enum: ["king", "queen"] };
    const kept = await complete({ json_schema, n_predict: 20 });
    expect(["king", "queen"]).toContain(JSON.parse(kept.content));
    expect(kept.stop_type).toBe("eos");
    const both = await open.ask("/completion", { ...greedy, grammar, json_schema });
    expect(both.status).toBe(400);
  });

  it("takes texts and token ids in one prompt", async () => {
    const { tokens } = await jsonOf<{ tokens: number[] }>(
      await open.ask("/tokenize", { content: "Once upon", add_special: true }),
    );
    const mixed = await complete({ prompt: [...tokens, " a"] });
    const several = await complete({
      prompt: [{ prompt_string: greedy.prompt }, [...tokens, " a"]],
    });
    expect(mixed.content).toBe(" very few days");
    expect(several).toMatchObject([{ content: " very few days" }, { content: " very few days" }]);
  });

  it("gives the fields alone that are asked for", async () => {
    const paths = ["content", "timings/predicted_n", "generation_settings/seed", "nowhere/else"];
    const found = await complete({ response_fields: paths, seed: 5 });
    expect(found).toEqual({
      content: " very few days",
      "timings/predicted_n": 3,
      "generation_settings/seed": 5,
    });
    expect(await complete({ response_fields: [] })).toMatchObject({ index: 0, stop: true });
  });

  it("fills in where the model can, and else says that it cannot", async () => {
    const response = await open.ask("/infill", { input_prefix: "a", input_suffix: "b" });
    const { error } = await jsonOf<Completion>(response);
    expect([response.status, error?.message]).toEqual([400, expect.stringContaining("middle")]);
  });

  it("tells a stop string from the end and the limit", async () => {
    const found = await complete({ stop: ["never", " few"] });
    expect(found).toMatchObject({ content: " very", stop_type: "word", stopping_word: " few" });
    const ended = await complete({ prompt: "A", logit_bias: [[0, 1000]] });
    expect(ended).toMatchObject({ content: "", stop_type: "eos", stopping_word: "" });
  });

  it.each<readonly [string, object]>([
    ["logit_bias by text", { logit_bias: [[" very", false]] }],
    ["logit_bias by text in an object", { logit_bias: { " very": false, 3: 1 } }],
    ["dry_multiplier", { prompt: "Once upon a few days later. Once upon a", dry_multiplier: 90 }],
    ["presence_penalty", { prompt: "very few. Once upon a", presence_penalty: 90 }],
  ])("changes its answer by %s", async (_, options) => {
    const { prompt = greedy.prompt } = options as { prompt?: string };
    expect((await complete(options)).content).not.toBe((await complete({ prompt })).content);
  });

  it.each<readonly [string, object, number, RegExp]>([
    ["a grammar that is none", { grammar: "root ::= x" }, 400, /x/],
    ["another order of samplers", { samplers: ["top_k"] }, 400, /^samplers: /],
    ["a text in the middle of another", { prompt: [{ prompt_string: 1 }] }, 400, /^prompt: /],
    ["an unknown field", { n_predikt: 1 }, 400, /did you mean "n_predict"/],
    ["no prompt", { prompt: undefined }, 400, /^prompt: /],
    ["a token that is not there", { prompt: [99_999] }, 400, /99999/],
    ["too long a prompt", { prompt: "king ".repeat(90) }, 400, /9\d tokens, the context 64/],
  ])("refuses %s", async (_, options, status, message) => {
    const response = await open.ask("/completion", { ...greedy, ...options });
    expect(response.status).toBe(status);
    const { error } = await jsonOf<Completion>(response);
    expect(error).toMatchObject({ code: status, message: expect.stringMatching(message) });
  });
});

describe("tokens", () => {
  it("of a text, with pieces, with those to begin with, and with control tokens or not", async () => {
    const tokenize = async (body: object): Promise<unknown> =>
      jsonOf(await open.ask("/tokenize", { content: "Hello king", ...body }));
    // Both are native llama-server's.
    expect(await tokenize({ with_pieces: true })).toEqual({
      tokens: [
        { id: 40, piece: "H" },
        { id: 524, piece: "ell" },
        { id: 79, piece: "o" },
        { id: 1398, piece: " king" },
      ],
    });
    expect(await tokenize({ add_special: true })).toEqual({ tokens: [0, 40, 524, 79, 1398] });
    const control = { content: "<|endoftext|>" };
    expect(await tokenize(control)).toEqual({ tokens: [0] });
    expect(await tokenize({ ...control, parse_special: false })).not.toEqual({ tokens: [0] });
  });

  it("give the text back, spaces too", async () => {
    const response = await open.ask("/detokenize", { tokens: [581, 513] });
    expect(await response.json()).toEqual({ content: " little very" });
    const wrong = await open.ask("/detokenize", { tokens: [5, 4096] });
    expect(wrong.status).toBe(400);
    expect((await jsonOf<Completion>(wrong)).error?.message).toMatch(/tokens\[1\].*0 to 4095/);
  });

  it("of a conversation are those of the model's template", async () => {
    const messages = [{ role: "user", content: "Hi" }];
    const apply = async (body: object): Promise<unknown> =>
      jsonOf(await open.ask("/apply-template", { messages, ...body }));
    // The bundled model has none: this is the form that stands in.
    expect(await apply({})).toEqual({ prompt: "User: Hi\nAssistant:" });
    expect(await apply({ add_generation_prompt: false })).toEqual({ prompt: "User: Hi\n" });
    const tools = [{ type: "function", function: { name: "add" } }];
    expect(await apply({ tools })).toEqual({ prompt: expect.stringContaining('{"name":"add"}') });
  });
});

it("/embedding gives vectors, of length 1 or as they are", async () => {
  type Embedded = readonly { index: number; embedding: readonly (readonly number[])[] }[];
  const embed = async (body: object): Promise<Embedded> =>
    jsonOf(await open.ask("/embedding", body));
  const lengths = (found: Embedded): readonly number[] =>
    found.map(({ embedding: [vector = []] }) => Math.hypot(...vector));
  expect(lengths(await embed({ content: "x" }))).toEqual([expect.closeTo(1, 5)]);
  const several = await embed({ content: ["x", [5, 6]], embd_normalize: -1 });
  expect(several.map(({ index }) => index)).toEqual([0, 1]);
  expect(Math.min(...lengths(several))).toBeGreaterThan(2);
});

it("/props and /slots say how a model runs", async () => {
  const props = await jsonOf<object>(await open.ask("/props"));
  expect(props).toMatchObject({
    default_generation_settings: { n_ctx: 64 },
    total_slots: 2,
    model_path: expect.stringContaining("default.gguf"),
    chat_template: "",
    eos_token: "<|endoftext|>",
  });
  const slots = await jsonOf<object[]>(await open.ask("/slots?fail_on_no_slot=1"));
  expect(slots).toMatchObject([
    { id: 0, n_ctx: 64, is_processing: false },
    { id: 1, is_processing: false },
  ]);
});

describe("a conversation", () => {
  const slot = (action: string, filename: unknown, id = 0): Promise<Response> =>
    keyed.ask(`/slots/${id}?action=${action}`, { filename }, key);

  it("is saved and restored by name, and its beginning is not read again", async () => {
    const body = {
      prompt: "The king and the queen lived in a castle",
      n_predict: 2,
      temperature: 0,
    };
    await keyed.ask("/completion", body, key);
    const saved = await jsonOf<{ n_saved: number; n_written: number }>(await slot("save", "a.bin"));
    expect(saved.n_saved).toBeGreaterThan(8);
    expect(saved.n_written).toBeGreaterThan(1000);
    expect(readdirSync(folder)).toEqual(["a.bin"]);
    const restored = await jsonOf(await slot("restore", "a.bin", 1));
    expect(restored).toMatchObject({ id_slot: 1, filename: "a.bin", n_restored: saved.n_saved });
    const again = await jsonOf<{ timings: { cache_n: number } }>(
      await keyed.ask("/completion", body, key),
    );
    expect(again.timings.cache_n).toBeGreaterThan(5);
  });

  it("is erased, and all of it is read again", async () => {
    const body = { prompt: "A queen who lived in a forest", n_predict: 2, temperature: 0 };
    const asked = async (): Promise<number> => {
      const response = await keyed.ask("/completion", body, key);
      return (await jsonOf<{ timings: { cache_n: number } }>(response)).timings.cache_n;
    };
    await asked();
    expect(await asked()).toBeGreaterThan(5);
    const erased = await jsonOf<{ n_erased: number }>(
      await keyed.ask("/slots/0?action=erase", {}, key),
    );
    expect(erased).toEqual({ id_slot: 0, n_erased: expect.any(Number) });
    expect(erased.n_erased).toBeGreaterThan(8);
    // What other conversations have in common with it stays: the token that the model begins with.
    expect(await asked()).toBeLessThan(3);
  });

  it.each(["../a.bin", "/etc/passwd", "a/b", ".hidden", "", "..", "a\0b", "x".repeat(200)])(
    "is not saved as %j",
    async (filename) => {
      const response = await slot("save", filename);
      expect(response.status).toBe(400);
      expect(existsSync(join(folder, "..", "a.bin"))).toBe(false);
    },
  );

  it("is saved for those alone who have a key, where there is a folder, in a place that there is", async () => {
    expect((await keyed.ask("/slots/0?action=save", { filename: "b" })).status).toBe(401);
    expect((await open.ask("/slots/0?action=save", { filename: "b" })).status).toBe(400);
    expect((await slot("save", "b", 99)).status).toBe(404);
    expect((await slot("copy", "b")).status).toBe(400);
    expect((await open.ask("/slots/0?action=erase", {})).status).toBe(403);
    expect((await slot("restore", "missing")).status).toBeGreaterThanOrEqual(400);
  });
});

it("a folder for conversations must be there", async () => {
  const started = startTestServer({ slotSavePath: join(folder, "missing") });
  await expect(started).rejects.toThrow(/slotSavePath.*a folder that is there/);
});

it.each([
  ["/v1/rerank", /rank/],
  ["/lora-adapters", /adapters/],
])("%s is refused by its name", async (path, reason) => {
  const response = await open.ask(path, { query: "a", documents: ["b"] });
  const { error } = await jsonOf<Completion>(response);
  expect([response.status, error?.message]).toEqual([400, expect.stringMatching(reason)]);
});
