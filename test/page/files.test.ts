/** The page's files: how the server gives them out, and how much they are. */
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageFiles } from "../../src/server/page/files.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";

const folder = resolve(import.meta.dirname, "../../dist/page");
const html = { accept: "text/html,*/*;q=0.8" };

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ apiKeys: ["secret"] });
});
afterAll(() => server[Symbol.asyncDispose]());

describe("the page", () => {
  it("is what a browser gets, without a key; programs get Ollama's line", async () => {
    const page = await server.ask("/", undefined, html);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("vary")).toContain("accept");
    expect(await page.text()).toContain('<div id="app">');
    expect(await (await server.ask("/")).text()).toBe("Ollama is running");
  });

  it("lets nothing run but its own scripts, and reach nobody but its server", async () => {
    const policy = (await server.ask("/", undefined, html)).headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self';");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).not.toMatch(/unsafe|data:|https?:|\*/);
    const text = readFileSync(`${folder}/index.html`, "utf8");
    expect(text).not.toMatch(/<style|style=|<script(?![^>]*src=)| on\w+=/);
  });

  it("keeps files with a hash in their name for ever, and asks about all others", async () => {
    const [script = ""] =
      /page\/index-[\w-]+\.js/.exec(readFileSync(`${folder}/index.html`, "utf8")) ?? [];
    const kept = await server.ask(`/${script}`);
    expect(kept.headers.get("cache-control")).toContain("immutable");
    const page = await server.ask("/", undefined, html);
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const again = { ...html, "if-none-match": page.headers.get("etag") ?? "" };
    expect((await server.ask("/", undefined, again)).status).toBe(304);
    const worker = await server.ask("/page/service-worker.js");
    expect(worker.headers.get("service-worker-allowed")).toBe("../");
    expect(worker.headers.get("cache-control")).toBe("no-cache");
  });

  it("has no other files than these", async () => {
    for (const name of ["nothing.js", "..%2f..%2fpackage.json", "__proto__"])
      expect((await server.ask(`/page/${name}`)).status, name).toBe(404);
    expect(pageFiles("/nowhere")).toBeUndefined();
  });

  it("is at most 250 kB, compressed and with all that it loads later", () => {
    const names = readdirSync(folder);
    const bytes = names.reduce(
      (sum, name) => sum + gzipSync(readFileSync(`${folder}/${name}`)).length,
      0,
    );
    expect(names.length).toBeGreaterThan(20);
    expect(bytes).toBeLessThan(250_000);
  });

  it("names the licences of the libraries inside", () => {
    const licences = readFileSync(`${folder}/licenses.txt`, "utf8");
    for (const name of ["preact", "marked", "temml", "highlight.js"])
      expect(licences).toContain(name);
  });
});
