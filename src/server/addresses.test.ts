/** A server of several addresses: all of them answer, and none holds up the end. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { describe, expect, it, vi } from "vitest";
import { startTestServer } from "../../test/fixtures/test-server.ts";

const { addresses } = vi.hoisted(() => ({ addresses: ["127.0.0.1", "::1"] }));
vi.mock("node:dns/promises", async (original) => ({
  ...(await original<object>()),
  lookup: async () => addresses.map((address) => ({ address, family: 4 })),
}));

async function hasIpv6(): Promise<boolean> {
  const server = createServer().listen({ host: "::1", port: 0 });
  const isOpen = await once(server, "listening").then(
    () => true,
    () => false,
  );
  server.close();
  return isOpen;
}

const hasBoth = await hasIpv6();
const skipped = hasBoth ? "" : " (skipped: no IPv6)";

describe(`localhost${skipped}`, () => {
  it.runIf(hasBoth)(
    "answers at both addresses and ends with idle connections at both",
    async () => {
      const test = await startTestServer({ host: "localhost" });
      const port = Number(new URL(test.url).port);
      const idle = addresses.map((host) => connect(port, host));
      await Promise.all(idle.map((socket) => once(socket, "connect")));
      // Keep-alive: these stay open, too.
      for (const host of ["127.0.0.1", "[::1]"]) {
        expect((await fetch(`http://${host}:${port}/health`)).status).toBe(200);
      }
      const body = JSON.stringify({ prompt: "Hi", max_tokens: 200, ignore_eos: true });
      const answer = fetch(`http://[::1]:${port}/v1/completions`, { method: "POST", body });
      await vi.waitFor(async () => {
        const metrics = await (await test.ask("/metrics")).text();
        expect(metrics).toMatch(/^llamacpp:requests_processing\S* 1$/m);
      });
      await test[Symbol.asyncDispose]();
      const { choices } = (await (await answer).json()) as { choices: readonly object[] };
      expect(choices).toHaveLength(1);
      for (const host of addresses) {
        const [error] = await once(connect(port, host), "error");
        expect(error).toMatchObject({ code: "ECONNREFUSED" });
      }
      for (const socket of idle) socket.destroy();
    },
  );

  it.runIf(hasBoth)("is the first address where the other cannot be had", async () => {
    addresses[1] = "192.0.2.1";
    await using test = await startTestServer({ host: "localhost" });
    expect((await test.ask("/health")).status).toBe(200);
  });
});
