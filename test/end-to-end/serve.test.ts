/** `hearth serve` as a process: up at once, refuses what is unsafe, ends running answers before it ends. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { command } from "../fixtures/packaged.ts";

const project = resolve(import.meta.dirname, "../..");
const model = resolve(project, "models/default.gguf");

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  /** What it said so far. */
  log(): string;
}

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
});

/** Until it listens. */
async function serve(...args: readonly string[]): Promise<Running> {
  const child = spawn(process.execPath, [command, "serve", "--port", "0", ...args]);
  running.push(child);
  let log = "";
  const listening = new Promise<string>((settle, fail) => {
    child.stderr.on("data", (text) => {
      log += text;
      const [, url] = /listening on (http:\S+)/.exec(log) ?? [];
      if (url !== undefined) settle(url);
    });
    child.once("exit", () => fail(new Error(log)));
  });
  return { child, url: await listening, log: () => log };
}

async function untilOk(url: string): Promise<void> {
  while ((await fetch(`${url}/health`)).status !== 200) await new Promise((r) => setTimeout(r, 10));
}

function ask(url: string, body: object): Promise<Response> {
  const all = { messages: [{ role: "user", content: "Hi" }], ignore_eos: true, ...body };
  return fetch(`${url}/v1/chat/completions`, { method: "POST", body: JSON.stringify(all) });
}

describe("other commands", () => {
  it("load none of the server's libraries", () => {
    const commands = JSON.stringify(pathToFileURL(resolve(project, "dist/cli/commands.js")).href);
    const server = JSON.stringify(pathToFileURL(resolve(project, "dist/server/server.js")).href);
    const loaded = `Object.keys(require.cache).filter((path) => /node_modules.(fastify|pino|prom-client|@fastify)/.test(path)).length`;
    const script = `import(${commands}).then(() => { console.log(${loaded}); return import(${server}); }).then(() => console.log(${loaded} > 10));`;
    const { stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8" });
    expect(stdout).toBe("0\ntrue\n");
  });
});

describe("hearth serve", () => {
  it("says at start how long a context each answer has, and answers", async () => {
    const { url, log } = await serve(model);
    await untilOk(url);
    const response = await ask(url, { max_tokens: 3 });
    expect(response.status).toBe(200);
    expect(log()).toContain("4 answers at once, each with a context of 256 tokens");
  });

  it("without a model serves those of hearth list, and says which", async () => {
    const { url, log } = await serve();
    const { data } = (await (await fetch(`${url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toContain("hearth:bundled");
    while (!log().includes("serves ")) await new Promise((r) => setTimeout(r, 5));
    expect(log()).toMatch(
      /serves .*hearth:bundled.*; a model is loaded when it is first asked for/,
    );
    const body = { model: "hearth:bundled", prompt: "Once", max_tokens: 2 };
    const asked = { method: "POST", body: JSON.stringify(body) };
    expect((await fetch(`${url}/v1/completions`, asked)).status).toBe(200);
  });

  it.skipIf(process.platform === "win32")(
    "writes running answers to their end before it ends (not on Windows: no SIGTERM)",
    async () => {
      const { child, url } = await serve("-m", model, "-c", "2000");
      await untilOk(url);
      const response = await ask(url, { max_tokens: 800, stream: true });
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      const text = await response.text();
      expect(text.match(/"delta":\{"content"/g)?.length).toBeGreaterThan(400);
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
      expect(await exit).toEqual([0, null]);
    },
  );

  it.skipIf(process.platform === "win32")(
    "ends at once at a second signal (not on Windows: no SIGTERM)",
    async () => {
      const { child, url, log } = await serve("-m", model, "-c", "200000");
      await untilOk(url);
      const response = await ask(url, { max_tokens: 100_000, stream: true });
      child.kill("SIGTERM");
      while (!log().includes("ended first")) await new Promise((r) => setTimeout(r, 5));
      child.kill("SIGTERM");
      expect(await once(child, "exit")).toEqual([143, null]);
      await expect(response.text()).rejects.toThrow();
    },
  );

  it.each([
    [
      "another machine may ask without a key",
      ["--host", "0.0.0.0"],
      /--host.*--api-key.*--no-auth/,
      2,
    ],
    ["the file is no model", ["-m", command], /magic/, 1],
    ["there is a model and a folder", ["-m", model, "--models", "."], /--models/, 2],
    ["the folder is none", ["--models", model], /--models.*a folder/, 2],
    ["an origin is none", ["--cors", "example"], /--cors/, 2],
  ])("refuses to start where %s", (_, args, said, code) => {
    const all = [command, "serve", "--port", "0", ...args];
    const { status, stderr } = spawnSync(process.execPath, all, {
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(said);
    expect(status).toBe(code);
  });

  it("says which port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" ? address?.port : 0;
    const child = spawn(process.execPath, [command, "serve", "-m", model, "--port", String(port)]);
    const said: string[] = [];
    child.stderr.on("data", (text) => said.push(String(text)));
    const [code] = await once(child, "exit");
    other.close();
    expect([code, said.join("")]).toEqual([2, expect.stringContaining(`--port: ${port}`)]);
  });
});
