/** Hugging Face's cache: paths, reading what is there, links and files in their place. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  blobPath,
  cachedRepositories,
  cachedRepository,
  linkSnapshot,
  makeFolders,
  writeRef,
} from "./cache-layout.ts";

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "hearth-cache-"));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const commits = ["a".repeat(40), "b".repeat(40)] as const;
const file = {
  repository: "owner/model-GGUF",
  revision: commits[0],
  path: "sub/model-Q4_0.gguf",
  size: 3,
  digest: "d".repeat(64),
};

function put(path: string, text: string): void {
  mkdirSync(dirname(join(cache, path)), { recursive: true });
  writeFileSync(join(cache, path), text);
}

describe("Hugging Face's cache", () => {
  it("is laid out as huggingface_hub does: a relative link from the snapshot to the blob, and a ref", async () => {
    makeFolders(cache, file);
    writeFileSync(blobPath(cache, file), "abc");
    const path = linkSnapshot(cache, file);
    await writeRef(cache, { name: file.repository, asked: "main", revision: file.revision });
    const folder = join(cache, "models--owner--model-GGUF");
    expect(path).toBe(join(folder, "snapshots", commits[0], "sub", "model-Q4_0.gguf"));
    expect(readlinkSync(path)).toBe(`../../../blobs/${file.digest}`);
    expect(readFileSync(join(folder, "refs", "main"), "utf8")).toBe(commits[0]);
    expect(cachedRepository(cache, file.repository)).toEqual({
      name: file.repository,
      folder,
      revisions: [
        {
          revision: commits[0],
          refs: ["main"],
          models: [
            {
              quant: "Q4_0",
              bytes: 3,
              files: [{ path: file.path, file: path, size: 3, digest: file.digest }],
            },
          ],
        },
      ],
    });
  });

  it("is read without links too, what main stands for first", () => {
    put(`models--o--m/snapshots/${commits[0]}/m-Q8_0.gguf`, "12");
    put(`models--o--m/snapshots/${commits[1]}/m-Q8_0.gguf`, "123");
    put("models--o--m/refs/main", commits[1]);
    put("models--o--m/refs/pr/1", commits[0]);
    const [repository] = cachedRepositories(cache);
    expect(repository?.name).toBe("o/m");
    expect(repository?.revisions.map(({ refs, models }) => [refs, models[0]?.bytes])).toEqual([
      [["main"], 3],
      [["pr/1"], 2],
    ]);
    expect(repository?.revisions[0]?.models[0]?.files[0]?.digest).toBeUndefined();
  });

  it("has no model where the content is gone, a part is missing, or nothing is a GGUF file", () => {
    put(`models--o--text/snapshots/${commits[0]}/README.md`, "text");
    put(`models--o--half/snapshots/${commits[0]}/m-00001-of-00002.gguf`, "1");
    mkdirSync(join(cache, "models--o--gone/snapshots", commits[0]), { recursive: true });
    const dangling = join(cache, "models--o--gone/snapshots", commits[0], "m.gguf");
    symlinkSync("../../blobs/gone", dangling);
    put("datasets--o--d/snapshots/x/m.gguf", "1");
    expect(cachedRepositories(cache)).toEqual([]);
    expect(cachedRepository(cache, "o/gone")).toBeUndefined();
    expect(cachedRepositories(join(cache, "none"))).toEqual([]);
  });

  it("links a content that is there under a name whose link led nowhere", () => {
    makeFolders(cache, file);
    writeFileSync(blobPath(cache, file), "abc");
    const path = linkSnapshot(cache, file);
    rmSync(path);
    symlinkSync("../../nowhere", path);
    expect(linkSnapshot(cache, file)).toBe(path);
    expect(readFileSync(path, "utf8")).toBe("abc");
  });
});
