/** Streams piece by piece: what fails when, who is waited for and who is cut off. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fastify } from "fastify";
import { describe, expect, it } from "vitest";
import { eventStream } from "./sse.ts";
import { type StreamTimes, sendStream } from "./stream.ts";

const form = eventStream(({ status, message }) => `error ${status} ${message}\n\n`);
const patient: StreamTimes = { firstPiece: 60_000, ping: 60_000, stall: 60_000 };

/** A server whose one answer is made of `pieces`; `done` settles when it was sent. */
async function serverOf(pieces: () => AsyncIterable<string>, times: StreamTimes = patient) {
  const app = fastify({ forceCloseConnections: true });
  let settle: (() => void) | undefined;
  const done = new Promise<void>((resolve) => {
    settle = resolve;
  });
  app.get("/", async (_, reply) => {
    try {
      await sendStream(reply, pieces(), { form, times });
    } finally {
      settle?.();
    }
    return reply;
  });
  const url = await app.listen({ port: 0 });
  return { url, done, [Symbol.asyncDispose]: () => app.close() };
}

describe("a stream", () => {
  it("gives the pieces in their order, under the headers of server-sent events", async () => {
    await using server = await serverOf(async function* () {
      yield "one ";
      yield "two";
    });
    const response = await fetch(server.url);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("cache-control")).toBe("no-cache");
    expect(await response.text()).toBe("one two");
  });

  it("has a status for what fails before the first piece", async () => {
    await using server = await serverOf(async function* () {
      await sleep(5);
      throw Object.assign(new Error("too long"), { statusCode: 400 });
      // biome-ignore lint/correctness/noUnreachable: a generator has a yield
      yield "";
    });
    expect((await fetch(server.url)).status).toBe(400);
  });

  it("says in its own words what fails in the middle, and ends", async () => {
    await using server = await serverOf(async function* () {
      yield "one ";
      throw new Error("a secret of the inside");
    });
    const text = await (await fetch(server.url)).text();
    expect(text).toBe("one error 500 an error inside hearth, which its log describes\n\n");
  });

  it("sends its status and pings while the first piece takes long", async () => {
    const times = { ...patient, firstPiece: 5, ping: 10 };
    await using server = await serverOf(async function* () {
      await sleep(100);
      yield "one";
    }, times);
    const text = await (await fetch(server.url)).text();
    expect(text).toMatch(/^(: ping\n\n)+one$/);
  });

  it("makes pieces no faster than they are read, and cuts off who reads none", async () => {
    let made = 0;
    let hasEnded = false;
    const piece = "x".repeat(100_000);
    await using server = await serverOf(
      async function* () {
        try {
          for (;;) {
            made++;
            yield piece;
          }
        } finally {
          hasEnded = true;
        }
      },
      { ...patient, stall: 200 },
    );
    const socket = connect(Number(new URL(server.url).port));
    await once(socket, "connect");
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await server.done;
    expect(hasEnded).toBe(true);
    // What buffers of the system hold, not what could be made in the time.
    expect(made).toBeLessThan(1000);
    socket.destroy();
  });
});
