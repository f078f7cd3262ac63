/** The server as a whole: its port, its health, one answer, its end. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DocumentedAnswers } from "../../test/fixtures/documented-answers.ts";
import {
  eventsOf,
  jsonOf,
  startTestServer,
  type TestServer,
} from "../../test/fixtures/test-server.ts";

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer();
});
afterAll(() => test[Symbol.asyncDispose]());

interface Operation {
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

const messages = [{ role: "user", content: "Hello" }];

describe("the server", () => {
  it("is healthy when its model is loaded", async () => {
    const response = await test.ask("/health");
    expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
  });

  it("gives the same text whole and in a stream", async () => {
    const body = { messages, max_tokens: 8, temperature: 0 };
    const whole = await jsonOf<{ choices: { message: { content: string } }[] }>(
      await test.ask("/v1/chat/completions", body),
    );
    const stream = await test.ask("/v1/chat/completions", { ...body, stream: true });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    const events = await eventsOf(stream);
    expect(events.at(-1)).toBe("[DONE]");
    const chunks = events.slice(0, -1) as { choices: { delta: { content?: string } }[] }[];
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(text).not.toBe("");
  });

  it("describes its routes", async () => {
    const text = await (await test.ask("/openapi.json")).text();
    const { openapi, paths, components } = JSON.parse(text);
    expect(openapi).toBe("3.1.0");
    expect(Object.keys(paths)).toContain("/v1/chat/completions");
    const named = Object.keys(components.schemas).map((name) => `#/components/schemas/${name}`);
    const referred = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, name]) => name);
    expect(new Set(referred)).toEqual(new Set(named));
    expect(components.schemas.MessagesRequest.required).toContain("max_tokens");
  });

  it("describes what its routes take and answer, so that what is not described fails a test", async () => {
    const { paths } = await jsonOf<{ paths: Record<string, Record<string, Operation>> }>(
      await test.ask("/openapi.json"),
    );
    for (const [path, operations] of Object.entries(paths)) {
      for (const { responses } of Object.values(operations)) {
        const answered = Object.entries(responses);
        expect(
          answered.map(([status]) => status),
          path,
        ).toContain("200");
        for (const [, { content }] of answered) expect(Object.keys(content ?? {})).not.toEqual([]);
      }
    }
    const models = paths["/v1/models"]?.["get"]?.responses;
    const only = (schema: object): unknown => ({
      paths: {
        "/v1/models": {
          get: { responses: { 200: { content: { "application/json": { schema } } } } },
        },
      },
    });
    expect(models).toBeDefined();
    const read = async (schema: object): Promise<string> => {
      const documented = new DocumentedAnswers(only(schema));
      const response = await fetch(`${test.url}/v1/models`);
      return documented.checked("GET", "/v1/models", response).text();
    };
    await expect(read({ type: "object" })).resolves.toContain("default");
    await expect(read({ type: "object", required: ["nothing"] })).rejects.toThrow(/nothing/);
  });

  it("says which methods a path has", async () => {
    const response = await fetch(`${test.url}/v1/completions`);
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    expect((await fetch(`${test.url}/v1/nothing`)).status).toBe(404);
    const query = { method: "QUERY", body: "{}", headers: { "content-type": "" } };
    const queried = await fetch(`${test.url}/v1/completions`, query);
    expect([queried.status, queried.headers.get("allow")]).toEqual([405, "POST"]);
  });

  it("counts what it answered", async () => {
    const text = await (await test.ask("/metrics")).text();
    expect(text).toMatch(/^llamacpp:tokens_predicted_total\{model="default"\} 16$/m);
  });
});
