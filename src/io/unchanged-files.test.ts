import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { UnchangedFiles } from "./unchanged-files.ts";

describe("files that must not change", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "hearth-unchanged-"));
    path = join(folder, "model.gguf");
    writeFileSync(path, "0123456789");
    utimesSync(path, 1000, 1000);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const changes: readonly (readonly [string, (path: string) => void, RegExp])[] = [
    ["is cut", (file) => truncateSync(file, 4), /had 10 bytes when it was opened and has 4 now/],
    ["grows", (file) => appendFileSync(file, "x"), /had 10 bytes .* has 11 now/],
    [
      "is written over",
      (file) => writeFileSync(file, "9876543210"),
      /it was written over while it was in use/,
    ],
  ];
  it.each(changes)("report one that %s, with what to do", (_, change, message) => {
    using files = new UnchangedFiles([path, path]);
    files.check();
    change(path);
    expect(() => files.check()).toThrow(message);
    expect(() => files.check()).toThrow(/open the model again, or with mmap off/);
    expect(() => files.check()).toThrow(expect.objectContaining({ code: "ECHANGED" }));
  });

  it("stay those that were opened when another takes their name", () => {
    using files = new UnchangedFiles([path]);
    writeFileSync(join(folder, "new"), "another");
    renameSync(join(folder, "new"), path);
    files.check();
    rmSync(path);
    files.check();
  });
});
