/** Clients that leave, read slowly or hold connections: others do not notice. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonOf, startTestServer, type TestServer } from "../../test/fixtures/test-server.ts";

let test: TestServer;
beforeAll(async () => {
  test = await startTestServer({ parallel: 2, contextLength: 100_000 });
});
afterAll(() => test[Symbol.asyncDispose]());

const path = "/v1/chat/completions";
const messages = [{ role: "user", content: "Hello there" }];
/** Longer than any test may take. */
const endless = { messages, max_tokens: 90_000, ignore_eos: true };
const short = { messages, max_tokens: 40, temperature: 0, ignore_eos: true };

interface Chat {
  readonly choices: readonly { readonly message: { readonly content: string } }[];
}

async function textOf(response: Promise<Response>): Promise<string | undefined> {
  return (await jsonOf<Chat>(await response)).choices[0]?.message.content;
}

async function inUse(server: TestServer = test): Promise<number> {
  const text = await (await server.ask("/metrics")).text();
  return Number(/^llamacpp:requests_processing (\d+)$/m.exec(text)?.[1]);
}

async function untilFree(): Promise<void> {
  while ((await inUse()) > 0) await sleep(5);
}

/** A client that goes when the answer has begun, or with no stream when it is being written. */
async function leave(stream: boolean): Promise<void> {
  const stop = new AbortController();
  const asked = fetch(`${test.url}${path}`, {
    method: "POST",
    body: JSON.stringify({ ...endless, stream }),
    signal: stop.signal,
  });
  if (stream) await (await asked).body?.getReader().read();
  else while ((await inUse()) === 0) await sleep(5);
  stop.abort();
  await asked.catch(() => undefined);
}

describe("a client that goes away", () => {
  it.each([true, false])("frees its place (stream: %s)", async (stream) => {
    await leave(stream);
    await leave(stream);
    await untilFree();
    // Both places are free: these are written beside each other, and no answer before them ever ends.
    expect(await textOf(test.ask(path, short))).toBe(await textOf(test.ask(path, short)));
  });

  it("harms nobody beside it", async () => {
    const alone = await textOf(test.ask(path, short));
    const beside = textOf(test.ask(path, { ...short }));
    for (let i = 0; i < 5; i++) await leave(true);
    expect(await beside).toBe(alone);
    await untilFree();
  });

  it("frees its place in the queue, too", async () => {
    const running = [leave(true), leave(true)];
    await Promise.all([...running, leave(true), leave(true)]);
    await untilFree();
    expect(await textOf(test.ask(path, short))).toBeDefined();
  });
});

describe("a client that reads slowly", () => {
  it("gets everything, and others are answered meanwhile", async () => {
    const body = { ...short, max_tokens: 400, logprobs: true, top_logprobs: 100, stream: true };
    const text = JSON.stringify(body);
    const socket = connect(Number(new URL(test.url).port), "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    expect(await textOf(test.ask(path, short))).toBeDefined();
    const pieces: string[] = [];
    for await (const piece of socket) {
      pieces.push(String(piece));
      if (pieces.length % 50 === 0) await sleep(5);
    }
    const all = pieces.join("");
    expect(all.match(/"finish_reason":"length"/g)).toHaveLength(1);
    expect(all).toContain("data: [DONE]");
  });
});

describe("the end of the server", () => {
  it("waits for no connection that never had a request, and refuses further ones", async () => {
    const server = await startTestServer();
    const port = Number(new URL(server.url).port);
    const idle = connect(port, "127.0.0.1");
    await once(idle, "connect");
    const answer = server.ask(path, { ...short, max_tokens: 2000 });
    while ((await inUse(server)) === 0) await sleep(1);
    await server[Symbol.asyncDispose]();
    expect((await answer).status).toBe(200);
    await expect(server.ask("/health")).rejects.toThrow();
    idle.destroy();
  });
});
