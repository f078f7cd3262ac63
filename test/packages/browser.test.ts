/**
 * hearth-llm/tokenizer and hearth-llm/gguf as a browser has them: bundled into one file without a module of Node, run where
 * there is no Buffer and no process, and compared with what Node gives.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { beforeAll, describe, expect, it } from "vitest";
import * as gguf from "../../src/browser/gguf.ts";
import * as tokenizers from "../../src/browser/tokenizer.ts";
import { FileFormatError } from "../../src/core/errors.ts";

const root = resolve(import.meta.dirname, "../..");
const model = readFileSync(join(root, "models/default.gguf"));

type Entries = typeof gguf & typeof tokenizers;

interface Rolldown {
  rolldown(options: object): Promise<{
    generate(options: object): Promise<{ output: readonly { code: string; imports: string[] }[] }>;
  }>;
}

/** Vitest brings it. */
async function bundle(): Promise<{ readonly code: string; readonly imports: readonly string[] }> {
  const from = (path: string, name: string): string => createRequire(path).resolve(name);
  const vite = from(from(import.meta.filename, "vitest/package.json"), "vite/package.json");
  const { rolldown }: Rolldown = await import(pathToFileURL(from(vite, "rolldown")).href);
  const entry = "entry";
  const built = await rolldown({
    input: entry,
    platform: "browser",
    plugins: [
      {
        name: "entry",
        resolveId: (id: string) => (id === entry ? id : undefined),
        load: (id: string) =>
          id === entry
            ? ["gguf", "tokenizer"]
                .map(
                  (name) =>
                    `export * from ${JSON.stringify(join(root, `src/browser/${name}.ts`))};`,
                )
                .join("\n")
            : undefined,
      },
    ],
  });
  const { output } = await built.generate({ format: "iife", name: "hearth" });
  expect(output).toHaveLength(1);
  return output[0]!;
}

/** What a browser has of what is used. */
const browserGlobals = { TextEncoder, TextDecoder, Uint8Array, performance, setTimeout };

let built: Awaited<ReturnType<typeof bundle>>;
let inBrowser: Entries;
beforeAll(async () => {
  built = await bundle();
  const context = vm.createContext({ ...browserGlobals });
  vm.runInContext(built.code, context);
  inBrowser = vm.runInContext("hearth", context);
});

describe("the browser's bundle", () => {
  it("has no module of Node's", () => {
    expect(built.imports).toEqual([]);
    expect(built.code).not.toMatch(/["']node:|\brequire\(/);
    expect(built.code.length).toBeGreaterThan(20_000);
  });

  it("reads a header as Node does, from bytes, a Blob and a file elsewhere", async () => {
    const expected = await gguf.readGguf(model);
    const read: (readonly [number, number])[] = [];
    const remote = {
      name: "elsewhere",
      size: model.length,
      read: async (offset: number, length: number) => {
        read.push([offset, length]);
        return new Uint8Array(model.subarray(offset, offset + length));
      },
    };
    for (const file of [new Uint8Array(model), new Blob([model]), remote]) {
      const found = await inBrowser.readGguf(file);
      expect(found.tensors.map(({ name, offset }) => [name, offset])).toEqual(
        expected.tensors.map(({ name, offset }) => [name, offset]),
      );
      expect([...found.metadata.entries()].map(([key]) => key)).toEqual(
        [...expected.metadata.entries()].map(([key]) => key),
      );
    }
    const bytes = read.reduce((sum, [, length]) => sum + length, 0);
    expect(bytes).toBeGreaterThanOrEqual(expected.headerBytes);
    expect(bytes).toBeLessThan(model.length / 4);
  });

  it("refuses what is no GGUF, and a file that ends early", async () => {
    await expect(inBrowser.readGguf(new Uint8Array(100), "zeros.gguf")).rejects.toThrow(
      /zeros\.gguf: magic .*zeros \(an interrupted download\)/,
    );
    const short = { name: "short", size: model.length, read: async () => new Uint8Array(7) };
    await expect(gguf.readGguf(short)).rejects.toThrow(FileFormatError);
  });

  it("gives the tokens and texts that Node gives", async () => {
    const { metadata } = await gguf.readGguf(model);
    const here = tokenizers.createTokenizer(metadata);
    const there = await inBrowser.loadTokenizer(
      (await inBrowser.readGguf(new Blob([model]))).metadata,
    );
    const texts = [
      "Once upon a time, in 1834,\n\n\tthere was  a fox.",
      "Größe, 日本語, 👩‍👩‍👧 and \ud800 alone",
      Uint8Array.of(0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0x20, 0xf0, 0x9f, 0xa6, 0x8a),
    ];
    for (const text of texts) {
      const ids = here.encode(text);
      expect(ids.length).toBeGreaterThan(3);
      expect(Array.from(there.encode(text))).toEqual(ids);
      expect(Array.from(await there.encodeWithPauses(text))).toEqual(ids);
      expect(there.decode(ids)).toBe(here.decode(ids));
    }
    for (let id = 0; id < here.vocabularySize; id++) {
      expect(Array.from(there.pieceBytes(id)), `token ${id}`).toEqual(
        Array.from(here.pieceBytes(id)),
      );
    }
  });
});
