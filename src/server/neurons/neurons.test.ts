/** `/neurons/:name`: the numbers of `run --stats --json`, bounded, and never in the answer's way. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { Writable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bundledModel,
  jsonOf,
  startTestServer,
  type TestServer,
} from "../../../test/fixtures/test-server.ts";
import { Engine } from "../../index.ts";
import { maxTokenFrame } from "./frames.ts";
import { NeuronWatch } from "./watches.ts";

const name = "a-reader-of-this-test";
const prompt = { prompt: "Once upon a time", max_tokens: 24, temperature: 0, seed: 7 };

interface Frame {
  readonly kind: number;
  // biome-ignore lint/suspicious/noExplicitAny: the test reads what it expects
  readonly head: any;
  readonly body: Buffer;
}

function framesOf(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    const headBytes = bytes.readUInt32LE(at + 5);
    const end = at + 4 + length;
    frames.push({
      kind: bytes.readUInt8(at + 4),
      head: JSON.parse(bytes.toString("utf8", at + 9, at + 9 + headBytes)),
      body: bytes.subarray(at + 9 + headBytes, end),
    });
    at = end;
  }
  return frames;
}

/** The listed neurons of a layer. */
function idsOf({ head, body }: Frame, layer: number): readonly number[] {
  let at = 0;
  for (const one of head.layers) {
    const list = body.subarray(at, at + one.bytes);
    at += one.bytes;
    if (one.layer === layer) return one.form === "bits" ? idsOfBits(list) : idsOfSteps(list);
  }
  return [];
}

function idsOfBits(list: Buffer): readonly number[] {
  return [...list].flatMap((byte, at) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * at + bit),
  );
}

function idsOfSteps(list: Buffer): readonly number[] {
  const ids: number[] = [];
  let id = -1;
  let step = 0;
  let shift = 0;
  for (const byte of list) {
    step |= (byte & 0x7f) << shift;
    shift += 7;
    if (byte >= 0x80) continue;
    id += step;
    ids.push(id);
    step = 0;
    shift = 0;
  }
  return ids;
}

describe("a reader of an answer's neurons", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const look = (as: string = name): Promise<Response> => server.ask(`/neurons/${as}?time_share=1`);
  const write = (as: string, body: object = prompt): Promise<Response> =>
    server.ask("/v1/completions", body, { "x-hearth-watch": as });
  const read = async (response: Response): Promise<readonly Frame[]> =>
    framesOf(Buffer.from(await response.arrayBuffer()));

  it("gets facts, tokens and an end, which add up to what run --stats says", async () => {
    using engine = await Engine.open(bundledModel, { device: "cpu" });
    await engine.generate(prompt.prompt, { maxTokens: 24, temperature: 0, seed: 7 }).result;
    const stats = engine.sparsity;
    const reader = await look();
    const answer = await jsonOf<{ choices: readonly { text: string }[] }>(await write(name));
    const [facts, ...others] = await read(reader);
    const end = others.at(-1);
    const tokens = others.slice(0, -1);
    expect(facts?.head).toMatchObject({
      method: stats.method,
      bytesDensePerToken: stats.bytesDensePerToken,
    });
    expect(tokens.length).toBe(stats.tokens);
    expect([facts?.kind, end?.kind]).toEqual([1, 3]);
    const text = others.flatMap(({ head }) => [...head.before, head.text ?? ""]).join("");
    expect(text).toBe(answer.choices[0]?.text);
    const shares = stats.activeSharePerLayer.map((_, layer) => {
      const listed = tokens.reduce((sum, frame) => sum + idsOf(frame, layer).length, 0);
      return listed / (tokens.length * facts?.head.layers[layer].neurons);
    });
    for (const [layer, share] of stats.activeSharePerLayer.entries())
      expect(shares[layer]).toBeCloseTo(share, 12);
    const bytes = tokens.flatMap(({ head }) =>
      head.layers.map((one: { bytesTouched: number }) => one.bytesTouched),
    );
    const perToken = bytes.reduce((sum, one) => sum + one, 0) / tokens.length;
    expect(perToken).toBeCloseTo(stats.bytesTouchedPerToken, 3);
  });

  it("is not in the way of an answer: one that reads nothing misses tokens alone", async () => {
    const other = "a-reader-that-is-slow";
    const reader = await look(other);
    expect((await write(other)).status).toBe(200);
    await reader.body?.cancel();
    expect((await write(other)).status).toBe(200);
  });

  it("misses tokens where it takes none for long, is told how many, and costs bounded memory", async () => {
    const [layers, neurons, tokens] = [80, 28_672, 60];
    let isReading = false;
    let goOn = (): void => undefined;
    const taken: Buffer[] = [];
    const response = new Writable({
      write(piece, _, done) {
        taken.push(piece);
        if (isReading) done();
        else goOn = done;
      },
    });
    const watch = new NeuronWatch(response as ServerResponse, 1);
    const facts = { layers: Array.from({ length: layers }, () => ({ neurons })) };
    const detokenizer = { push: (token: number) => ` ${token}`, hiddenText: () => "" };
    const tokenizer = { createDetokenizer: () => detokenizer };
    const { onToken } = watch.begin("large", { neurons: facts, tokenizer } as unknown as Engine);
    const active = Uint32Array.from({ length: neurons / 8 }, (_, place) => 8 * place);
    const shown = Array.from({ length: layers }, (_, layer) => {
      return { layer, ofExperts: false, activeCount: active.length, bytesTouched: 1, active };
    });
    const show = (index: number): void =>
      onToken({
        ...{ token: index, index, skipped: [], rows: 1, stepTime: 1, showingTime: 1 },
        ...{ timeline: [], layers: shown },
      });
    for (let index = 0; index < tokens; index++) show(index);
    const most = 4 << 20;
    expect(response.writableLength).toBeGreaterThan(most);
    expect(response.writableLength).toBeLessThan(most + maxTokenFrame + 20_000);
    isReading = true;
    const drained = once(response, "drain");
    goOn();
    await drained;
    show(tokens);
    watch.end(Array.from({ length: tokens + 1 }, (_, token) => token));
    await once(response, "finish");
    const [, ...frames] = framesOf(Buffer.concat(taken));
    const written = frames.filter(({ kind }) => kind === 2);
    const last = written.at(-1)?.head;
    expect(last.dropped).toBe(tokens + 1 - written.length);
    expect(last.dropped).toBeGreaterThan(20);
    expect(last.before.length).toBe(last.dropped);
    const text = frames.flatMap(({ head }) => [...head.before, head.text ?? ""]).join("");
    expect(text).toBe(Array.from({ length: tokens + 1 }, (_, token) => ` ${token}`).join(""));
  });

  it("is refused with a name that could be guessed, or that another one waits under", async () => {
    expect((await look("short")).status).toBe(400);
    expect((await server.ask(`/neurons/${name}?time_share=2`)).status).toBe(400);
    const first = await look();
    const second = await look();
    expect(second.status).toBe(400);
    expect(await second.text()).toContain("another reader waits");
    await write(name, { ...prompt, max_tokens: 1 });
    const [, ...rest] = await read(first);
    expect(rest.map(({ kind }) => kind)).toEqual([3]);
  });

  it("gets nothing of a request that is refused, and goes on waiting; of one that fails, the end", async () => {
    const other = "a-reader-of-failures";
    const reader = await look(other);
    expect((await write(other, { prompt: 3 })).status).toBe(400);
    expect((await write(other, { ...prompt, prompt: "word ".repeat(2000) })).status).toBe(400);
    const frames = await read(reader);
    expect(frames.at(-1)?.kind).toBe(3);
    expect(frames.some(({ kind }) => kind === 2)).toBe(false);
  });

  it("wants the server's key", async () => {
    await using locked = await startTestServer({ apiKeys: ["secret-of-this-test"] });
    expect((await locked.ask(`/neurons/${name}`)).status).toBe(401);
    const headers = { authorization: "Bearer secret-of-this-test" };
    const reader = await locked.ask(`/neurons/${name}`, undefined, headers);
    expect(reader.status).toBe(200);
    await reader.body?.cancel();
  });
});
