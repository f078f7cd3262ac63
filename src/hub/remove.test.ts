/** What `hearth rm` takes out of the cache, and what it leaves. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobPath, linkSnapshot, makeFolders } from "./cache-layout.ts";
import type { HubFile } from "./hub-file.ts";
import { parseHubName } from "./model-name.ts";
import { partialPath } from "./partial-file.ts";
import { removeModels } from "./remove.ts";

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "hearth-rm-"));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

function put(path: string, digit: string, revision = "a"): HubFile {
  const file = {
    repository: "o/m",
    revision: revision.repeat(40),
    path,
    size: 100,
    digest: digit.repeat(64),
  };
  makeFolders(cache, file);
  writeFileSync(blobPath(cache, file), "x".repeat(100));
  linkSnapshot(cache, file);
  return file;
}

const remove = (name: string, isAll = false) => removeModels(cache, parseHubName(name), isAll);
const blobs = (): readonly string[] => readdirSync(join(cache, "models--o--m/blobs")).sort();

describe("removing a model", () => {
  it("takes its links in all revisions and contents that nobody else has", () => {
    put("m-Q4_0.gguf", "1", "a");
    put("m-Q4_0.gguf", "2", "b");
    put("copy-Q8_0.gguf", "2", "b");
    expect(remove("o/m:q4_0")).toEqual({
      repository: "o/m",
      quants: ["Q4_0"],
      freedBytes: 100,
      sharedBytes: 0,
    });
    expect(blobs()).toEqual(["2".repeat(64)]);
    expect(readdirSync(join(cache, "models--o--m/snapshots"))).toEqual(["b".repeat(40)]);
  });

  it("knows a model by its file, as a pull does", () => {
    put("m-Q4_0.gguf", "1");
    put("m-Q8_0.gguf", "2");
    for (const name of ["M-Q4_0.gguf", "m-q8_0"]) remove(`o/m:${name}`);
    expect(blobs()).toEqual([]);
  });

  it("takes all parts, and leaves what is no model", () => {
    put("m-Q4_0-00001-of-00002.gguf", "1");
    put("m-Q4_0-00002-of-00002.gguf", "2");
    put("README.md", "3");
    expect(remove("o/m").freedBytes).toBe(200);
    expect(blobs()).toEqual(["3".repeat(64)]);
  });

  it("asks which one where several are there, and takes every one with all", () => {
    const file = put("m-Q4_0.gguf", "1");
    put("m-Q8_0.gguf", "2");
    writeFileSync(partialPath(blobPath(cache, { ...file, digest: "9".repeat(64) })), "x");
    expect(() => remove("o/m")).toThrow(/several are there.*o\/m:Q4_0, o\/m:Q8_0, or --all/);
    expect(() => remove("o/m:Q5_K_M")).toThrow(
      /o\/m:Q5_K_M, which is not in the cache.*Q4_0, Q8_0/,
    );
    expect(remove("o/m", true).quants).toEqual(["Q4_0", "Q8_0"]);
    expect(blobs()).toEqual([]);
    expect(() => remove("o/m")).toThrow(/o\/m, which is not in the cache/);
  });

  it("leaves the store that huggingface_hub shares, and says what lies there", () => {
    const { digest } = put("m-Q4_0.gguf", "1");
    const blob = join(cache, "models--o--m/blobs", digest);
    const stored = join(cache, "blobs/ab", "ab".repeat(32));
    mkdirSync(join(cache, "blobs/ab"), { recursive: true });
    renameSync(blob, stored);
    symlinkSync(`../../blobs/ab/${"ab".repeat(32)}`, blob);
    expect(remove("o/m")).toMatchObject({ quants: ["Q4_0"], freedBytes: 0, sharedBytes: 100 });
    expect(blobs()).toEqual([]);
    expect(existsSync(stored)).toBe(true);
  });

  it("takes what an aborted pull has left", () => {
    const file = put("m-Q4_0.gguf", "1");
    remove("o/m");
    const partial = partialPath(blobPath(cache, file));
    writeFileSync(partial, "x".repeat(5000));
    expect(remove("o/m").freedBytes).toBeGreaterThan(0);
    expect(existsSync(partial)).toBe(false);
  });
});
