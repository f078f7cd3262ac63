/** Conversations that come back to a server read what is new, whoever asked in between, and also after a restart. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonOf, startTestServer, type TestServer } from "../../../test/fixtures/test-server.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hearth-server-cache-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Answer {
  readonly choices: readonly { readonly message: { readonly content: string } }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
}

async function ask(test: TestServer, words: string): Promise<Answer> {
  const messages = [{ role: "user", content: `${words} `.repeat(20) }];
  const body = { messages, max_tokens: 4, temperature: 0 };
  return jsonOf<Answer>(await test.ask("/v1/chat/completions", body));
}

function unreadOf({ usage }: Answer): number {
  return usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens;
}

it("a server remembers more conversations than it has places", async () => {
  await using test = await startTestServer({ parallel: 1 });
  const asked = ["a king", "the sea", "one old dog"];
  const first: Answer[] = [];
  for (const words of asked) first.push(await ask(test, words));
  for (const [i, words] of asked.entries()) {
    const again = await ask(test, words);
    expect(unreadOf(first[i] ?? again)).toBeGreaterThan(20);
    expect(unreadOf(again)).toBe(1);
    expect(again.choices).toEqual(first[i]?.choices);
  }
});

it("a server goes on with what another one has left in the folder", async () => {
  const options = { parallel: 2, engine: { device: "cpu", cacheDisk: folder } } as const;
  const before = await startTestServer(options);
  const first = await ask(before, "a king");
  await before[Symbol.asyncDispose]();
  await using test = await startTestServer(options);
  const again = await ask(test, "a king");
  expect(unreadOf(again)).toBe(1);
  expect(again.choices).toEqual(first.choices);
});
