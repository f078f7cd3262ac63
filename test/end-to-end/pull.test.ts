/** `hearth pull`, `show`, `rm` and `run hf:…` against the stand-in hub: as processes, killed at random, two at once, without space. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRandom } from "../../src/core/random.ts";
import { command } from "../fixtures/packaged.ts";
import { madeBytes, sha256 } from "../hub/made-files.ts";
import { type StandInHub, startHub } from "../hub/stand-in-hub.ts";

/** `npm run prove:pull` kills more. */
const kills = Number(process.env["HEARTH_PULL_KILLS"] ?? 3);
vi.setConfig({ testTimeout: 250_000 + 20_000 * kills });

const project = resolve(import.meta.dirname, "../..");
const bundled = readFileSync(join(project, "models/default.gguf"));
const large = madeBytes(33 * 2 ** 20 + 5, 3);

let hub: StandInHub;
let home: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "hearth-home-"));
  hub = await startHub({
    "owner/tiny-GGUF": {
      files: { "tiny-Q8_0.gguf": bundled, "tiny-F16.gguf": large },
      licence: "mit",
    },
    "owner/gated-GGUF": { files: { "tiny-Q8_0.gguf": bundled }, gatedFor: "hf_good" },
  });
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  return spawn(process.execPath, [command, ...args], {
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      HF_HOME: home,
      HF_ENDPOINT: hub.endpoint,
      ...env,
    },
  });
}

async function ended(child: ChildProcess): Promise<Ended> {
  const texts = { stdout: "", stderr: "" };
  child.stdout?.on("data", (piece) => {
    texts.stdout += piece;
  });
  child.stderr?.on("data", (piece) => {
    texts.stderr += piece;
  });
  const status = await new Promise<number | null>((done) => child.on("close", done));
  return { status, ...texts };
}

async function hearth(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return await ended(start(args, env));
}

const blobs = (): string => join(home, "hub/models--owner--tiny-GGUF/blobs");
const pullLarge = ["pull", "owner/tiny-GGUF:F16", "--connections", "2"];

describe("a model of the hub", () => {
  it("is shown, pulled, run offline and removed by its name", async () => {
    const shown = await hearth(["show", "hf:owner/tiny-GGUF"]);
    expect(shown.stdout).toMatch(/^licence +mit$/m);
    expect(shown.stdout).toMatch(/^\* {2}Q8_0 +9\.6 MiB .* yes +tiny-Q8_0\.gguf$/m);
    const pulled = await hearth(["pull", "owner/tiny-GGUF"]);
    expect(pulled.stderr).toMatch(
      /^hearth: pulling 9\.6 MiB from owner\/tiny-GGUF, licence mit; Q8_0: a small model loses most by fewer bits; fits into/,
    );
    expect(sha256(readFileSync(pulled.stdout.trim()))).toBe(sha256(bundled));
    const again = await hearth(["pull", "owner/tiny-GGUF", "--json"]);
    expect(again.stderr).toMatch(/it is here already/);
    expect(JSON.parse(again.stdout)).toMatchObject({ quant: "Q8_0", path: pulled.stdout.trim() });
    hub.requests.length = 0;
    const answer = ["run", "-m", "hf:owner/tiny-GGUF", "-n", "3", "--temp", "0", "Once"];
    const run = await hearth(answer, { HF_HUB_OFFLINE: "1" });
    expect([run.status, run.stdout]).toEqual([0, expect.stringMatching(/./)]);
    expect(hub.requests).toEqual([]);
    const removed = await hearth(["rm", "owner/tiny-GGUF"]);
    expect(removed.stdout).toBe("removed owner/tiny-GGUF Q8_0: 9.6 MiB freed\n");
    expect(readdirSync(blobs())).toEqual([]);
    const gone = await hearth(answer, { HF_HUB_OFFLINE: "1" });
    expect([gone.status, gone.stderr]).toEqual([1, expect.stringMatching(/HF_HUB_OFFLINE is set/)]);
  });

  it("is pulled by the command that it is given to", async () => {
    const { stdout, stderr } = await hearth(["inspect", "hf:owner/tiny-GGUF:q8_0", "--json"]);
    expect(stderr).toMatch(/^hearth: pulling 9\.6 MiB from owner\/tiny-GGUF/);
    expect(JSON.parse(stdout).architecture).toBe("arcee");
  });

  it("that is gated or misspelt is one line, and exit code 1", async () => {
    const gated = await hearth(["pull", "owner/gated-GGUF"]);
    expect([gated.status, gated.stdout]).toEqual([1, ""]);
    expect(gated.stderr).toMatch(/^hearth: pulling .*\nhearth: .*is gated: accept its terms .*\n$/);
    const quant = await hearth(["pull", "owner/tiny-GGUF:Q3_K_M"]);
    expect([quant.status, quant.stderr]).toEqual([
      1,
      'hearth: quant: "Q3_K_M" is not usable; expected one of Q8_0, F16\n',
    ]);
    const allowed = await hearth(["pull", "owner/gated-GGUF", "-q"], { HF_TOKEN: "hf_good" });
    expect([allowed.status, allowed.stderr]).toEqual([0, ""]);
  });
});

describe("a pull that is killed", () => {
  it("goes on at the next, at any moment, and no half file ever has a final name", async () => {
    const random = createRandom(11);
    const slow = (): { kind: "slow"; bytes: number } => ({
      kind: "slow",
      bytes: 100_000 + random.integer(100_000),
    });
    hub.fault = ({ server }) => (server === "store" ? slow() : undefined);
    for (let round = 0; round < kills; round++) {
      const child = start(pullLarge);
      // Listened for at once: what an earlier round has left may be fetched before this one is killed.
      const end = ended(child);
      await untilAsked(child);
      await pause(random.integer(700));
      child.kill("SIGKILL");
      await end;
      const names = existsSync(blobs()) ? readdirSync(blobs()) : [];
      const finished = names.filter((name) => !name.endsWith(".incomplete"));
      for (const name of finished) expect(sha256(readFileSync(join(blobs(), name)))).toBe(name);
      if (finished.length > 0) rmSync(join(home, "hub"), { recursive: true });
    }
    hub.fault = () => undefined;
    hub.requests.length = 0;
    const isBegun = existsSync(blobs());
    const last = await hearth(pullLarge);
    expect(last.stderr).toMatch(isBegun ? /MiB of it here already from/ : /pulling 33\.0 MiB from/);
    expect(sha256(readFileSync(last.stdout.trim()))).toBe(sha256(large));
    expect(readdirSync(blobs())).toEqual([sha256(large)]);
  });

  it("leaves the work to another that waits for it", async () => {
    hub.fault = ({ server }) => (server === "store" ? { kind: "slow", bytes: 200_000 } : undefined);
    const first = start(pullLarge);
    await untilAsked(first);
    const second = hearth(pullLarge);
    await pause(800);
    hub.fault = () => undefined;
    first.kill("SIGKILL");
    const { status, stdout } = await second;
    expect(status).toBe(0);
    expect(sha256(readFileSync(stdout.trim()))).toBe(sha256(large));
  });

  /** Until a part of the content is being sent, or the pull has ended. */
  async function untilAsked(child: ChildProcess): Promise<void> {
    const before = hub.requests.length;
    const isAsked = (): boolean =>
      hub.requests.slice(before).some(({ range }) => range !== undefined && range !== "bytes=0-0");
    while (!isAsked() && child.exitCode === null) await pause(20);
  }
});

describe("the way to the hub", () => {
  it("goes through a proxy that the environment names, and not where it says so", async () => {
    const tunnels: string[] = [];
    const proxy = await startProxy(tunnels);
    const { port } = addressOf(proxy);
    const env = { HTTP_PROXY: `http://127.0.0.1:${port}` };
    expect((await hearth(["pull", "owner/tiny-GGUF", "-q"], env)).status).toBe(0);
    expect(tunnels).toContain(new URL(hub.endpoint).host);
    tunnels.length = 0;
    await hearth(["pull", "owner/tiny-GGUF:F16", "-q"], { ...env, NO_PROXY: "127.0.0.1" });
    expect(tunnels).toEqual([]);
    proxy.closeAllConnections();
    proxy.close();
  });

  it("that leads nowhere is said, or the copy that is here is taken", async () => {
    await hearth(["pull", "owner/tiny-GGUF", "-q"]);
    const nowhere = { HF_ENDPOINT: "http://127.0.0.1:9" };
    const there = await hearth(["pull", "owner/tiny-GGUF"], nowhere);
    expect([there.status, there.stderr]).toEqual([
      0,
      expect.stringMatching(/127\.0\.0\.1:9 does not answer: .*; the copy that is here is taken/),
    ]);
    const missing = await hearth(["pull", "owner/other"], nowhere);
    expect([missing.status, missing.stderr]).toEqual([1, expect.stringMatching(/does not answer/)]);
  });
});

/** A small file system of its own, in a namespace, where the system lets users make one. */
const canMount =
  spawnSync("unshare", ["-rm", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).status === 0;

describe("a disk that fills up", () => {
  it.skipIf(!canMount)(
    "ends a pull with one line, and what has arrived is kept (needs unshare)",
    async () => {
      hub.fault = ({ server }) =>
        server === "store" ? { kind: "slow", bytes: 100_000 } : undefined;
      // 40 MiB are enough at first; then somebody else takes 20 of them.
      const script = `mount -t tmpfs -o size=40m tmpfs "$HF_HOME" || exit 9
        ("$@"; echo "status $?"; ls "$HF_HOME"/hub/models--owner--tiny-GGUF/blobs) &
        until ls "$HF_HOME"/hub/*/blobs/*.incomplete > "$HF_HOME/list" 2>&1; do sleep 0.1; done
        head -c 20m /dev/zero > "$HF_HOME/filler"; wait`;
      const pull = [process.execPath, command, ...pullLarge];
      const child = spawn("unshare", ["-rm", "sh", "-c", script, "sh", ...pull], {
        env: { PATH: process.env["PATH"], HOME: home, HF_HOME: home, HF_ENDPOINT: hub.endpoint },
      });
      const { stdout, stderr } = await ended(child);
      expect(stderr).toMatch(
        /no space is left on the device; make room and pull again: what has arrived is kept/,
      );
      expect(stdout).toBe(`status 1\n${sha256(large)}.hearth.incomplete\n`);
    },
  );
});

/** Answers CONNECT, as proxies for HTTPS do. */
async function startProxy(tunnels: string[]): Promise<Server> {
  const proxy = createServer();
  proxy.on("connect", ({ url = "" }, socket) => {
    tunnels.push(url);
    const [host, port] = url.split(":");
    const target = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    for (const end of [target, socket]) end.on("error", () => target.destroy());
  });
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  return proxy;
}

function addressOf(server: Server): AddressInfo {
  const address = server.address();
  if (typeof address !== "object" || address === null)
    throw new Error("the server listens on no port");
  return address;
}
