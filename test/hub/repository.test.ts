/** What the hub's listing becomes, and what its refusals say: against the stand-in. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HubConnection } from "../../src/hub/connection.ts";
import { openRemoteFile } from "../../src/hub/remote-file.ts";
import { readRepository } from "../../src/hub/repository.ts";
import { madeBytes, sha256 } from "./made-files.ts";
import { madeCommit, type StandInHub, startHub } from "./stand-in-hub.ts";

const files = {
  "README.md": madeBytes(100, 1),
  "model-Q4_K_M.gguf": madeBytes(5000, 2),
  "model-Q8_0-00001-of-00002.gguf": madeBytes(6000, 3),
  "model-Q8_0-00002-of-00002.gguf": madeBytes(4000, 4),
  "BF16/model-00001-of-00002.gguf": madeBytes(9000, 5),
  "BF16/model-00002-of-00002.gguf": madeBytes(9000, 6),
  "mmproj-model-f16.gguf": madeBytes(10, 7),
  "imatrix_unsloth.gguf": madeBytes(10, 7),
  "model-Q2_K-00001-of-00002.gguf": madeBytes(10, 8),
};

let hub: StandInHub;
beforeEach(async () => {
  hub = await startHub({
    "owner/model-GGUF": { files, licence: "apache-2.0" },
    "owner/old-name": { files: {}, renamedTo: "owner/model-GGUF" },
    "owner/gated": { files, gatedFor: "hf_good" },
  });
});
afterEach(async () => await hub[Symbol.asyncDispose]());

function connect(token?: string, isOffline = false): HubConnection {
  return new HubConnection(
    { endpoint: hub.endpoint, cacheFolder: "/nowhere", token, isOffline },
    { firstPause: 1 },
  );
}

describe("a repository", () => {
  it("has its models by quant, split files as one and the smallest first", async () => {
    using connection = connect();
    const found = await readRepository(connection, { repository: "owner/model-GGUF" });
    expect(found).toMatchObject({ revision: madeCommit, licence: "apache-2.0", isGated: false });
    expect(
      found.models.map(({ quant, bytes, files: parts }) => [quant, bytes, parts.length]),
    ).toEqual([
      ["Q4_K_M", 5000, 1],
      ["Q8_0", 10000, 2],
      ["BF16", 18000, 2],
    ]);
    const [part] = found.models[1]?.files ?? [];
    expect(part).toEqual({
      repository: "owner/model-GGUF",
      revision: madeCommit,
      path: "model-Q8_0-00001-of-00002.gguf",
      size: 6000,
      digest: sha256(files["model-Q8_0-00001-of-00002.gguf"]),
    });
  });

  it("that was renamed is found under its old name, as huggingface_hub caches it", async () => {
    using connection = connect();
    const found = await readRepository(connection, { repository: "owner/old-name" });
    expect(found.name).toBe("owner/old-name");
    expect(found.models).toHaveLength(3);
  });

  it("that is not there, or no revision, is said with what to do", async () => {
    using connection = connect();
    await expect(readRepository(connection, { repository: "owner/typo" })).rejects.toThrow(
      /no repository .*owner\/typo, or it is private: .*HF_TOKEN/,
    );
    const question = { repository: "owner/model-GGUF", revision: "v2" };
    await expect(readRepository(connection, question)).rejects.toThrow(
      /has no such revision \(404/,
    );
  });

  it("is asked again after 429 and 503, with the pause that the hub names, and given up in the end", async () => {
    using connection = connect();
    let refused = 0;
    hub.fault = () => {
      refused++;
      if (refused > 2) return undefined;
      return refused === 1
        ? { kind: "status", status: 429, headers: { "retry-after": "0" } }
        : { kind: "status", status: 503 };
    };
    await readRepository(connection, { repository: "owner/model-GGUF" });
    expect(refused).toBeGreaterThan(2);
    hub.fault = () => ({ kind: "status", status: 500 });
    await expect(
      readRepository(connection, { repository: "owner/model-GGUF" }),
    ).rejects.toMatchObject({
      name: "HubError",
      status: 500,
      message: expect.stringContaining("in trouble"),
    });
  });

  it("is asked again when the hub's window of requests has ended, and a long pause is told", async () => {
    using connection = connect();
    hub.quota = { requests: 2, seconds: 1 };
    await readRepository(connection, { repository: "owner/model-GGUF" });
    // The answer that there are no more, and not the tries of a second.
    expect(hub.requests.filter(({ path }) => path.includes("/tree/")).length).toBeLessThanOrEqual(
      4,
    );
    const stop = new AbortController();
    const told: string[] = [];
    const onNotice = (notice: string): void => {
      told.push(notice);
      stop.abort();
    };
    using talking = new HubConnection(connection.settings, { firstPause: 1, onNotice });
    hub.quota = { requests: 0, seconds: 240 };
    const question = { repository: "owner/model-GGUF", signal: stop.signal };
    await new Promise((done) => setTimeout(done, 1000));
    await expect(readRepository(talking, question)).rejects.toThrow();
    expect(told).toEqual([expect.stringMatching(/^the hub asks for a pause of 2[34]\d s/)]);
  });

  it("is listed by a mirror whose pages name the hub itself", async () => {
    using connection = connect();
    hub.ownAddress = "https://huggingface.co";
    const { models } = await readRepository(connection, { repository: "owner/model-GGUF" });
    expect(models).toHaveLength(3);
  });

  it("that is gated is listed to strangers, without the Xet hashes of its files", async () => {
    using connection = connect();
    const { isGated, models } = await readRepository(connection, { repository: "owner/gated" });
    expect(isGated).toBe(true);
    expect(models).toHaveLength(3);
  });

  it("cannot name a file outside itself", async () => {
    hub.repositories.set("owner/evil", { files: { "../../evil.gguf": madeBytes(10, 1) } });
    using connection = connect();
    await expect(readRepository(connection, { repository: "owner/evil" })).rejects.toThrow(
      /a file named "..\/..\/evil.gguf"/,
    );
  });

  it("is not asked for offline", async () => {
    using connection = connect(undefined, true);
    await expect(readRepository(connection, { repository: "owner/model-GGUF" })).rejects.toThrow(
      /HF_HUB_OFFLINE/,
    );
    expect(hub.requests).toEqual([]);
  });
});

describe("a part of a remote file", () => {
  const path = "model-Q4_K_M.gguf";
  const content = files[path];

  async function open(repository: string, connection: HubConnection) {
    const file = {
      repository,
      revision: madeCommit,
      path,
      size: content.length,
      digest: sha256(content),
    };
    return openRemoteFile(connection, file);
  }

  it("comes by Range from the store, which never sees the token", async () => {
    using connection = connect("hf_good");
    const file = await open("owner/gated", connection);
    expect(await file.read(100, 50)).toEqual(content.slice(100, 150));
    expect(await file.read(4990, 10)).toEqual(content.slice(4990));
    const seen = hub.requests.map(({ server, token, range }) => [server, token, range]);
    expect(seen).toEqual([
      ["hub", "hf_good", "bytes=100-149"],
      ["store", undefined, "bytes=100-149"],
      ["store", undefined, "bytes=4990-4999"],
    ]);
    await expect(file.read(4990, 11)).rejects.toThrow(RangeError);
  });

  it("survives cut lines and signatures that ran out", async () => {
    using connection = connect();
    const file = await open("owner/model-GGUF", connection);
    await file.read(0, 1);
    hub.expireSignatures();
    let cuts = 0;
    hub.fault = ({ server }) =>
      server === "store" && cuts++ < 4 ? { kind: "cut", after: 7 } : undefined;
    expect(await file.read(10, 100)).toEqual(content.slice(10, 110));
    expect(cuts).toBeGreaterThan(4);
  });

  it("comes over several connections whose signatures ran out at once", async () => {
    using connection = connect();
    const file = await open("owner/model-GGUF", connection);
    await file.read(0, 1);
    hub.expireSignatures();
    const read = await Promise.all([0, 100, 200, 300].map((at) => file.read(at, 50)));
    expect(read).toEqual([0, 100, 200, 300].map((at) => content.slice(at, at + 50)));
  });

  it("is refused in the end by a store that no new signature opens", async () => {
    using connection = connect();
    const file = await open("owner/model-GGUF", connection);
    hub.fault = ({ server }) => (server === "store" ? { kind: "status", status: 403 } : undefined);
    await expect(file.read(0, 4)).rejects.toThrow(
      /127.0.0.1:\d+, where the hub keeps the file, refuses it; try again later \(403/,
    );
  });

  it("comes from a server that sends the whole file for a part", async () => {
    using connection = connect();
    const file = await open("owner/model-GGUF", connection);
    hub.fault = () => ({ kind: "whole" });
    expect(await file.read(4000, 20)).toEqual(content.slice(4000, 4020));
  });

  it("of a gated repository says what to do, with a token and without", async () => {
    for (const [token, expected] of [
      [undefined, /is gated: accept its terms on that page, then set HF_TOKEN/],
      ["hf_other", /your token has no access to it: accept its terms/],
    ] as const) {
      using connection = connect(token);
      const file = await open("owner/gated", connection);
      await expect(file.read(0, 4)).rejects.toThrow(expected);
    }
  });
});
