/** Downloads from the stand-in hub: whatever goes wrong on the way, what gets its name is whole and right. */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createRandom } from "../../src/core/random.ts";
import { HubConnection } from "../../src/hub/connection.ts";
import { checkSpace } from "../../src/hub/disk-space.ts";
import { parseHubName } from "../../src/hub/model-name.ts";
import { type PulledModel, type PullSteps, pull } from "../../src/hub/pull.ts";
import { madeBytes, sha256 } from "./made-files.ts";
import { madeCommit, type SeenRequest, type StandInHub, startHub } from "./stand-in-hub.ts";

vi.setConfig({ testTimeout: 250_000 });

const MiB = 2 ** 20;
/** Three pieces, the last one short. */
const content = madeBytes(37 * MiB + 13, 5);
const small = madeBytes(300_000, 6);
const parts = {
  "s-Q8_0-00001-of-00002.gguf": madeBytes(2 * MiB, 7),
  "s-Q8_0-00002-of-00002.gguf": madeBytes(MiB, 8),
};
const name = parseHubName("owner/model:Q4_0");

let hub: StandInHub;
let cache: string;
beforeEach(async () => {
  cache = mkdtempSync(join(tmpdir(), "hearth-pull-"));
  hub = await startHub({
    "owner/model": { files: { "m-Q4_0.gguf": content, "m-Q8_0.gguf": small }, licence: "mit" },
    "owner/split": { files: parts },
  });
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(cache, { recursive: true, force: true });
});

async function fetchModel(steps: Partial<PullSteps> = {}, wanted = name): Promise<PulledModel> {
  const settings = {
    endpoint: hub.endpoint,
    cacheFolder: cache,
    token: undefined,
    isOffline: false,
  };
  using connection = new HubConnection(settings, { firstPause: 1 });
  return await pull(connection, wanted, { connections: 3, memoryBytes: 8 * 2 ** 30, ...steps });
}

function blobs(repository = "owner--model"): readonly string[] {
  const folder = join(cache, `models--${repository}`, "blobs");
  return existsSync(folder) ? readdirSync(folder) : [];
}

function partial(): string {
  return join(cache, "models--owner--model/blobs", `${sha256(content)}.hearth.incomplete`);
}

const fromStore = ({ server }: SeenRequest): boolean => server === "store";

/** Bytes that were asked of the store, at most. */
function asked(requests: readonly SeenRequest[]): number {
  return requests.filter(fromStore).reduce((sum, { range }) => {
    const [, begin = "0", end = "0"] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    return sum + Number(end) - Number(begin) + 1;
  }, 0);
}

/** Aborts the pull when so many bytes are there. */
async function abortAt(bytes: number): Promise<void> {
  const stop = new AbortController();
  const onProgress = (done: number): void => {
    if (done >= bytes) stop.abort(new Error("enough"));
  };
  await expect(fetchModel({ signal: stop.signal, onProgress })).rejects.toThrow("enough");
}

describe("a pull", () => {
  it("fetches in pieces at once, and keeps the file as huggingface_hub does", async () => {
    const seen: number[] = [];
    let plan: unknown;
    const model = await fetchModel({
      onProgress: (done) => seen.push(done),
      onPlan: (given) => {
        plan = given;
      },
    });
    expect(plan).toMatchObject({ quant: "Q4_0", licence: "mit", missingBytes: content.length });
    expect(model.path).toBe(
      join(cache, "models--owner--model/snapshots", madeCommit, "m-Q4_0.gguf"),
    );
    expect(sha256(readFileSync(model.path))).toBe(sha256(content));
    expect(blobs()).toEqual([sha256(content)]);
    expect(readFileSync(join(cache, "models--owner--model/refs/main"), "utf8")).toBe(madeCommit);
    expect(readdirSync(join(cache, ".locks/models--owner--model"))).toEqual([]);
    expect(seen.at(-1)).toBe(content.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    // One byte finds out whether parts are served, three pieces follow.
    expect(hub.requests.filter(fromStore)).toHaveLength(4);
  });

  it("asks for nothing of a file that is there, and for one listing", async () => {
    await fetchModel();
    hub.requests.length = 0;
    const model = await fetchModel();
    expect(hub.requests.map(({ path }) => path.split("?")[0])).toEqual([
      "/api/models/owner/model/revision/main",
      `/api/models/owner/model/tree/${madeCommit}`,
    ]);
    expect(existsSync(model.path)).toBe(true);
  });

  it("brings all parts of a split model", async () => {
    const model = await fetchModel({}, parseHubName("owner/split"));
    expect(model.path).toMatch(/s-Q8_0-00001-of-00002\.gguf$/);
    expect(blobs("owner--split").toSorted()).toEqual(Object.values(parts).map(sha256).toSorted());
  });

  it("goes on after lines that are cut at random bytes, and asks for no byte twice", async () => {
    const random = createRandom(3);
    let cuts = 0;
    hub.fault = (request) =>
      fromStore(request) && cuts++ < 40 ? { kind: "cut", after: random.integer(MiB) } : undefined;
    const model = await fetchModel();
    expect(cuts).toBeGreaterThan(40);
    expect(sha256(readFileSync(model.path))).toBe(sha256(content));
  });

  it("goes on where it was aborted, at any moment", async () => {
    let before = 0;
    for (const share of [0.05, 0.4, 0.7, 0.95]) {
      await abortAt(share * content.length);
      expect(blobs()).toEqual([`${sha256(content)}.hearth.incomplete`]);
      before = hub.requests.length;
    }
    const seen: number[] = [];
    const model = await fetchModel({ onProgress: (done) => seen.push(done) });
    expect(seen[0]).toBeGreaterThanOrEqual(0.95 * content.length);
    expect(asked(hub.requests.slice(before))).toBeLessThanOrEqual(0.05 * content.length + 1);
    expect(sha256(readFileSync(model.path))).toBe(sha256(content));
  });

  it("refuses a content of another digest, and leaves nothing of it", async () => {
    hub.fault = (request) => (fromStore(request) ? { kind: "flip", at: 20 * MiB } : undefined);
    await expect(fetchModel()).rejects.toThrow(
      /m-Q4_0\.gguf arrived with the digest .* damaged on the way/,
    );
    expect(blobs()).toEqual([]);
    expect(existsSync(join(cache, "models--owner--model/refs/main"))).toBe(false);
  });

  it("throws away what an earlier fetch left damaged, says so and fetches it anew", async () => {
    await abortAt(20 * MiB);
    const file = openSync(partial(), "r+");
    writeSync(file, Uint8Array.of(content[5] === 1 ? 2 : 1), 0, 1, 5);
    closeSync(file);
    const notices: string[] = [];
    const model = await fetchModel({ onNotice: (notice) => notices.push(notice) });
    expect(notices.join()).toMatch(/what was there of m-Q4_0.gguf is damaged/);
    expect(sha256(readFileSync(model.path))).toBe(sha256(content));
  });

  it("finishes a file that was killed between its last byte and its name", async () => {
    await fetchModel();
    const folder = join(cache, "models--owner--model");
    rmSync(join(folder, "snapshots"), { recursive: true });
    renameSync(join(folder, "blobs", sha256(content)), partial());
    hub.requests.length = 0;
    await fetchModel();
    expect(hub.requests.filter(fromStore)).toEqual([]);
    expect(blobs()).toEqual([sha256(content)]);
  });

  it("comes in one stream from a server that knows no parts", async () => {
    hub.fault = (request) => (fromStore(request) ? { kind: "whole" } : undefined);
    const notices: string[] = [];
    const model = await fetchModel({ onNotice: (notice) => notices.push(notice) });
    expect(notices.join()).toMatch(/whole files only/);
    expect(sha256(readFileSync(model.path))).toBe(sha256(content));
    expect(hub.requests.filter(fromStore)).toHaveLength(2);
  });

  it("gives up when nothing comes any more, and keeps what came", async () => {
    hub.fault = (request) =>
      request.range === undefined || request.range === "bytes=0-0"
        ? undefined
        : { kind: "status", status: 503 };
    await abortAt(0).catch(() => {});
    await expect(fetchModel()).rejects.toMatchObject({ name: "HubError", status: 503 });
    expect(blobs()).toEqual([`${sha256(content)}.hearth.incomplete`]);
  });

  it("of one file twice at once fetches it once", async () => {
    const notices: string[] = [];
    const onNotice = (notice: string): void => {
      notices.push(notice);
    };
    const [one, other] = await Promise.all([fetchModel({ onNotice }), fetchModel({ onNotice })]);
    expect(one.path).toBe(other.path);
    expect(asked(hub.requests)).toBeLessThan(content.length + 10);
    expect(sha256(readFileSync(one.path))).toBe(sha256(content));
  });

  it("says how much space is missing before it begins", async () => {
    const file = {
      repository: "owner/huge",
      revision: madeCommit,
      path: "h.gguf",
      size: 2 ** 60,
      digest: "e".repeat(64),
    };
    await expect(checkSpace(cache, [file])).rejects.toMatchObject({
      code: "ENOSPC",
      message: expect.stringMatching(/of free space, and 1073741824\.0 GiB are to come; .*HF_HOME/),
    });
  });
});
