/** Whatever stands in a field of a body, it is answered or refused, never with an error of the server's own. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { startTestServer, type TestServer } from "../../test/fixtures/test-server.ts";
import { countFields, messagesFields } from "./anthropic/messages-body.ts";
import { completionFields } from "./llama-cpp/completion-body.ts";
import { chatFields, embedFields, generateFields, oldEmbedFields } from "./ollama/fields.ts";

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer({ contextLength: 128, keepAlive: Number.POSITIVE_INFINITY });
});
afterAll(() => test[Symbol.asyncDispose]());

const messages = [{ role: "user", content: "Hello" }];
const short = { options: { num_predict: 1 }, stream: false };
const routes: readonly (readonly [path: string, own: object, fields: readonly string[]])[] = [
  ["/v1/messages", { model: "a", messages, max_tokens: 1 }, namesIn(messagesFields.schema)],
  ["/v1/messages/count_tokens", { model: "a", messages }, namesIn(countFields.schema)],
  ["/completion", { prompt: "Hello", n_predict: 1 }, namesIn(completionFields.schema)],
  ["/tokenize", { content: "Hello" }, ["content", "add_special", "parse_special", "with_pieces"]],
  ["/detokenize", { tokens: [5] }, ["tokens"]],
  ["/apply-template", { messages }, ["messages", "add_generation_prompt", "chat_template_kwargs"]],
  ["/embedding", { content: "Hello" }, ["content", "embd_normalize"]],
  ["/api/chat", { model: "a", messages, ...short }, [...namesIn(chatFields.schema), "options"]],
  [
    "/api/generate",
    { model: "a", prompt: "A", ...short },
    [...namesIn(generateFields.schema), "options"],
  ],
  ["/api/embed", { model: "a", input: "A" }, namesIn(embedFields.schema)],
  ["/api/embeddings", { model: "a", prompt: "A" }, namesIn(oldEmbedFields.schema)],
  ["/api/show", { model: "a" }, ["model", "name", "verbose"]],
];

function namesIn(schema: z.ZodType): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

it.each(routes)("%s answers or refuses whatever a field says", async (path, own, fields) => {
  const field = fc.constantFrom(
    ...fields.filter((name) => !["stream", "keep_alive"].includes(name)),
  );
  const asked = fc.asyncProperty(field, fc.jsonValue({ maxDepth: 2 }), async (name, value) => {
    const response = await test.ask(path, { ...own, [name]: value });
    const text = await response.text();
    expect([200, 400], `${name} ${JSON.stringify(value)}: ${text}`).toContain(response.status);
    expect(() => JSON.parse(text.trim().split("\n").at(-1) ?? "")).not.toThrow();
  });
  await fc.assert(asked, { numRuns: 20, seed: 18 });
});
