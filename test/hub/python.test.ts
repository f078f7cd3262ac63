/**
 * Python's huggingface_hub and hearth share a cache: each downloads from the stand-in hub and finds what the other has fetched.
 * Needs a Python with huggingface_hub: `HEARTH_PYTHON`, else python3.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HubConnection } from "../../src/hub/connection.ts";
import { parseHubName } from "../../src/hub/model-name.ts";
import { findPulled, type PulledModel, pull } from "../../src/hub/pull.ts";
import { madeBytes, sha256 } from "./made-files.ts";
import { type StandInHub, startHub } from "./stand-in-hub.ts";

vi.setConfig({ testTimeout: 250_000 });

const python = process.env["HEARTH_PYTHON"] ?? "python3";
const hasHub = spawnSync(python, ["-c", "import huggingface_hub"]).status === 0;

const files = {
  "README.md": madeBytes(200, 4),
  "m-Q4_0.gguf": madeBytes(3_000_000, 1),
  "m-Q8_0-00001-of-00002.gguf": madeBytes(2_000_000, 2),
  "m-Q8_0-00002-of-00002.gguf": madeBytes(1_000_000, 3),
};

let hub: StandInHub;
let home: string;
let cache: string;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "hearth-python-"));
  cache = join(home, "hub");
  hub = await startHub({ "owner/m-GGUF": { files, gatedFor: "hf_good", licence: "mit" } });
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** Runs a script, which prints one JSON value. */
async function runPython(
  script: string,
  env: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const program = `import json, os\nfrom huggingface_hub import *\n${script}`;
  const child = spawn(python, ["-c", program], {
    env: {
      PATH: process.env["PATH"],
      HF_HOME: home,
      HF_ENDPOINT: hub.endpoint,
      HF_TOKEN: "hf_good",
      HF_HUB_DISABLE_PROGRESS_BARS: "1",
      HF_HUB_DISABLE_TELEMETRY: "1",
      // The stand-in speaks no Xet.
      HF_HUB_DISABLE_XET: "1",
      ...env,
    },
  });
  const texts = { stdout: "", stderr: "" };
  child.stdout.on("data", (piece) => {
    texts.stdout += piece;
  });
  child.stderr.on("data", (piece) => {
    texts.stderr += piece;
  });
  await new Promise((done) => child.on("close", done));
  if (texts.stdout === "") throw new Error(texts.stderr);
  return JSON.parse(texts.stdout);
}

async function pullHere(name: string): Promise<PulledModel> {
  const settings = {
    endpoint: hub.endpoint,
    cacheFolder: cache,
    token: "hf_good",
    isOffline: false,
  };
  using connection = new HubConnection(settings, { firstPause: 1 });
  return await pull(connection, parseHubName(name), { connections: 2, memoryBytes: 2 ** 33 });
}

const download = (file: string, more = ""): string =>
  `print(json.dumps(hf_hub_download("owner/m-GGUF", ${JSON.stringify(file)}${more})))`;
const storeRequests = (): number => hub.requests.filter(({ server }) => server === "store").length;

describe.skipIf(!hasHub)("the cache of Python's huggingface_hub (needs a Python with it)", () => {
  it("has models that Python fetched for hearth, which asks the hub for none of their bytes", async () => {
    const path = await runPython(download("m-Q4_0.gguf"));
    const found = findPulled(cache, parseHubName("owner/m-GGUF"), 2 ** 33);
    expect(found).toMatchObject({ path, quant: "Q4_0" });
    hub.requests.length = 0;
    expect((await pullHere("owner/m-GGUF:Q4_0")).path).toBe(path);
    expect(storeRequests()).toBe(0);
  });

  it("has models that hearth fetched for Python, without the hub and with it", async () => {
    const { path } = await pullHere("owner/m-GGUF:Q8_0");
    const file = "m-Q8_0-00001-of-00002.gguf";
    expect(await runPython(download(file), { HF_HUB_OFFLINE: "1" })).toBe(path);
    hub.requests.length = 0;
    expect(await runPython(download(file))).toBe(path);
    expect(storeRequests()).toBe(0);
    const scan = `
info = scan_cache_dir()
files = [f for r in info.repos for v in r.revisions for f in v.files]
print(json.dumps([len(info.warnings), sorted(f.file_name for f in files), info.size_on_disk]))`;
    expect(await runPython(scan)).toEqual([0, [file, "m-Q8_0-00002-of-00002.gguf"], 3_000_000]);
  });

  it("takes a snapshot of Python beside a pull of hearth at the same time", async () => {
    hub.fault = ({ server }) => (server === "store" ? { kind: "slow", bytes: 100_000 } : undefined);
    const [folder, { path }] = await Promise.all([
      runPython('print(json.dumps(snapshot_download("owner/m-GGUF", max_workers=2)))'),
      pullHere("owner/m-GGUF:Q4_0"),
    ]);
    expect(path).toBe(join(String(folder), "m-Q4_0.gguf"));
    for (const [name, content] of Object.entries(files)) {
      expect(sha256(readFileSync(join(String(folder), name)))).toBe(sha256(content));
    }
  });
});
