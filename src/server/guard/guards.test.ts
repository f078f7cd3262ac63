/** Who may ask: names, pages and keys. */
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";
import { isLoopback } from "./loopback.ts";

let open: TestServer;
let locked: TestServer;
let paged: TestServer;
beforeAll(async () => {
  open = await startTestServer({ allowedHosts: ["hearth.example"] });
  locked = await startTestServer({ apiKeys: ["one", "two"] });
  paged = await startTestServer({ cors: ["https://app.example"] });
});
afterAll(async () => {
  for (const server of [open, locked, paged]) await server[Symbol.asyncDispose]();
});

/** fetch lets nobody choose these headers. */
function statusOf(
  url: string,
  headers: Readonly<Record<string, string>>,
  method = "GET",
): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { headers, method }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", reject).end();
  });
}

describe("the name that the server is reached by", () => {
  it.each([
    ["evil.example", 403],
    ["evil.example:8080", 403],
    ["localhost.evil.example", 403],
    ["127.0.0.1.evil.example", 403],
    ["localhost", 200],
    ["LOCALHOST:99", 200],
    ["app.localhost:8080", 200],
    ["127.0.0.1:8080", 200],
    ["192.168.1.7", 200],
    ["[::1]:8080", 200],
    ["hearth.example:80", 200],
  ])("%s: %d", async (host, status) => {
    expect(await statusOf(`${open.url}/health`, { host })).toBe(status);
  });

  it("does not matter where a key is asked for", async () => {
    const headers = { host: "evil.example", authorization: "Bearer one" };
    expect(await statusOf(`${locked.url}/v1/models`, headers)).toBe(200);
  });
});

describe("a web page", () => {
  it("may not ask, whether or not it could read the answer", async () => {
    const body = { messages: [{ role: "user", content: "Hi" }], max_tokens: 1 };
    for (const origin of ["https://evil.example", "null"]) {
      const response = await open.ask("/v1/chat/completions", body, { origin });
      expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([
        403,
        null,
      ]);
    }
    expect((await open.ask("/v1/chat/completions", body)).status).toBe(200);
  });

  it("may ask where it is allowed, and a browser is told so before", async () => {
    const origin = "https://app.example";
    const preflight = await fetch(`${paged.url}/v1/chat/completions`, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
      },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
    const answer = await paged.ask("/v1/models", undefined, { origin });
    expect([answer.status, answer.headers.get("access-control-allow-origin")]).toEqual([
      200,
      origin,
    ]);
    const body = { messages: [{ role: "user", content: "Hi" }], max_tokens: 1, stream: true };
    const stream = await paged.ask("/v1/chat/completions", body, { origin });
    expect(stream.headers.get("access-control-allow-origin")).toBe(origin);
    await stream.text();
  });

  it("is its own page where its origin is the server", async () => {
    expect((await open.ask("/v1/models", undefined, { origin: open.url })).status).toBe(200);
  });
});

describe("a key", () => {
  it.each([
    [{}, 401],
    [{ authorization: "Bearer three" }, 401],
    [{ authorization: "Bearer " }, 401],
    [{ authorization: "one" }, 401],
    [{ authorization: "Bearer one" }, 200],
    [{ authorization: "bearer two" }, 200],
    [{ "x-api-key": "two" }, 200],
  ])("in %j: %d", async (headers, status) => {
    expect(await statusOf(`${locked.url}/v1/models`, headers)).toBe(status);
  });

  it("is not asked for health alone", async () => {
    expect(await statusOf(`${locked.url}/health`, {})).toBe(200);
    for (const path of ["/metrics", "/openapi.json", "/v1/models", "/nowhere"]) {
      expect(await statusOf(`${locked.url}${path}`, {}), path).toBe(401);
    }
  });
});

describe("an address", () => {
  it.each([
    ["127.0.0.1", true],
    ["127.9.9.9", true],
    ["::1", true],
    ["localhost", true],
    ["0.0.0.0", false],
    ["::", false],
    ["192.168.1.2", false],
    ["example.org", false],
  ])("%s is this machine's alone: %s", (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
