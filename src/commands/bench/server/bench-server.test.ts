/** What the bench of servers sees of a made one, whose times and refusals are known. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { benchServer } from "./bench-server.ts";

/** Before the first piece, and between two. */
const first = 60;
const gap = 30;

let server: Server;
let url: string;
/** Bodies of all requests. */
let bodies: { messages: [{ content: string }]; max_tokens: number; ignore_eos?: boolean }[];
/** Requests from here on are refused. */
let refusedFrom: number;

beforeEach(async () => {
  bodies = [];
  refusedFrom = Number.POSITIVE_INFINITY;
  server = createServer(async (request, response) => {
    let text = "";
    for await (const piece of request) text += piece;
    const body = JSON.parse(text);
    bodies.push(body);
    if (body.ignore_eos !== undefined) {
      response.writeHead(400).end('{"error":"ignore_eos?"}');
      return;
    }
    if (bodies.length > refusedFrom) {
      response.writeHead(429).end("busy");
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = (value: unknown) => response.write(`data: ${JSON.stringify(value)}\n\n`);
    send({ choices: [{ delta: { role: "assistant", content: "" } }] });
    await pause(first);
    for (let i = 0; i < body.max_tokens; i++) {
      if (i > 0) await pause(gap);
      send({ choices: [{ delta: { content: "é" } }] });
    }
    send({ choices: [], usage: { prompt_tokens: 9, completion_tokens: body.max_tokens } });
    response.end("data: [DONE]\n\n");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const small = { clients: [1, 3], promptTokens: 5, answerTokens: 4, repetitions: 2 };

describe("the bench of servers", () => {
  it("measures each number of clients, two servers in turn, by what came when", async () => {
    const runs: string[] = [];
    const onRun = (done: number, total: number): unknown => runs.push(`${done}/${total}`);
    const report = await benchServer({ urls: [url, `${url}/`], ...small, onRun });
    expect(runs.at(-1)).toBe("12/12");
    expect(report.results.map(({ server: name, clients }) => [name, clients])).toEqual([
      [url, 1],
      [`${url}/`, 1],
      [url, 3],
      [`${url}/`, 3],
    ]);
    for (const result of report.results) {
      expect(result).toMatchObject({ answers: 2 * result.clients, refused: 0, prompt_tokens: 9 });
      expect(result.first_token.p50).toBeGreaterThanOrEqual(first - 2);
      expect(result.between_tokens.p50).toBeGreaterThanOrEqual(gap - 2);
      expect(result.between_tokens.p99).toBeGreaterThanOrEqual(result.between_tokens.p50);
      expect(result.tokens_per_second.samples).toHaveLength(2);
      const most = (1000 * 4 * result.clients) / (first + 3 * gap - 5);
      expect(result.tokens_per_second.high).toBeLessThanOrEqual(most);
      expect(result.ratio === undefined).toBe(result.server === url);
    }
    // Both servers get the same prompts; no two clients of one do.
    const prompts = bodies.slice(4).map(({ messages }) => messages[0].content);
    expect(prompts).toHaveLength(24);
    expect(new Set(prompts).size).toBe(12 - 3);
    expect(prompts.every((prompt) => prompt.split(" ").length === 5)).toBe(true);
  });

  it("asks without ignore_eos where the server refuses it, and counts clients that are refused", async () => {
    refusedFrom = 2 + 4 + 2;
    const { results } = await benchServer({ urls: [url], ...small });
    expect(bodies[0]?.ignore_eos).toBe(true);
    expect(bodies.slice(1).every(({ ignore_eos: ignores }) => ignores === undefined)).toBe(true);
    expect(results).toMatchObject([
      { clients: 1, answers: 1, refused: 1, refusal: "429: busy" },
      { clients: 3, answers: 1, refused: 5 },
    ]);
  });

  it("says what is wrong with a server, and with its own options", async () => {
    refusedFrom = 0;
    await expect(benchServer({ urls: [url], ...small })).rejects.toThrow(/answers with 429: busy/);
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await expect(benchServer({ urls: [url], ...small })).rejects.toThrow(
      /http:\/\/127\.0\.0\.1:\d+ does not answer at .*: .*ECONNREFUSED/,
    );
    await expect(benchServer({})).rejects.toThrow(/neither a server nor a model/);
    await expect(benchServer({ urls: ["model.gguf"] })).rejects.toThrow(/an address such as/);
    const against = { model: "m.gguf", againstLlamaServer: "/nowhere/llama-server" };
    await expect(benchServer(against)).rejects.toThrow(/does not serve: /);
  });
});
