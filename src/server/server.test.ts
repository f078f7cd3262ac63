/** The server as a whole: its port, its health, one answer, its end. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

  it("counts what it answered", async () => {
    const text = await (await test.ask("/metrics")).text();
    expect(text).toMatch(/^llamacpp:tokens_predicted_total\{model="default"\} 16$/m);
  });
});
