import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FileAccessError } from "../core/errors.ts";
import { openGguf } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-mistaken-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("a name that is not the path of a model", () => {
  it.each([
    ["https://example.org/m.gguf", "an address: hearth pull fetches"],
    ["http://example.org/m", "an address"],
    ["hf://owner/repo/m.gguf", "an address"],
    ["ollama:llama3.2", "the name of a model elsewhere: hearth list"],
    ["llama3.2:3b", "the name of a model elsewhere"],
    ["TheBloke/Llama-2-7B-GGUF", "a repository on Hugging Face: hf:TheBloke/Llama-2-7B-GGUF"],
  ])("is refused with advice: %s", (path, advice) => {
    let found: unknown;
    try {
      openGguf(path);
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(FileAccessError);
    expect(found).toMatchObject({ code: "ENOENT", file: path });
    expect(String(found)).toContain(advice);
  });

  it.each(["none.gguf", "models/none.gguf", "./a/b/none", "/x/none"])(
    "is plainly missing when it looks like a path: %s",
    (path) => {
      expect(() => openGguf(path)).toThrow(new RegExp(`${path}: no such file$|no folder$`));
    },
  );
});

describe("a file of another format", () => {
  const files: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["nothing", "", "an empty file (an interrupted download?)"],
    ["a short word", "GG", "bytes 4747"],
    ["a ZIP", "PK\u0003\u0004....", "a ZIP archive, as PyTorch's are"],
    ["a web page", "<!DOCTYPE html><html>", "a web page"],
    ["a pointer", "version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"],
    [
      "safetensors",
      Buffer.concat([new Uint8Array(8), Buffer.from('{"__metadata__":{}}')]),
      "safetensors",
    ],
    ["old ggml", "tjgg\u0001", "a ggml file from before GGUF"],
    ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0), "a gzip file (unpack it first)"],
    ["JSON", '{"a": 1}', "JSON"],
    ["zeros", new Uint8Array(100), "zeros (an interrupted download)"],
    ["noise", Uint8Array.of(1, 2, 3, 4, 5), "bytes 01020304,"],
  ];

  it.each(files)("is named: %s", (name, content, guess) => {
    const path = join(folder, `${name}.gguf`);
    writeFileSync(path, content);
    expect(() => openGguf(path)).toThrow(guess);
    expect(() => openGguf(path)).toThrow(/magic at byte 0/);
  });
});
