/**
 * Tokenizers against the vectors that llama.cpp and the models' authors publish.
 * Needs the folder HEARTH_TEST_DATA; the bundled model's goldens need nothing.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { metadataOf } from "../../test/fixtures/vocabulary-metadata.ts";
import { openGguf } from "../gguf/open.ts";
import { createTokenizer, type Tokenizer } from "./tokenizer.ts";

const data = process.env["HEARTH_TEST_DATA"] ?? "";
const reason = data === "" ? " (skipped: HEARTH_TEST_DATA is not set)" : "";
const vectorsPerVocabulary = 47;

interface Vector {
  readonly text: Buffer;
  readonly ids: readonly number[];
}

/** `.inp` has texts between `\n__ggml_vocab_test__\n`, `.out` a line of ids for each. */
function readVectors(name: string): readonly Vector[] {
  const base = join(data, "vocab", `ggml-vocab-${name}.gguf`);
  const texts = readFileSync(`${base}.inp`, "latin1").split("\n__ggml_vocab_test__\n");
  const lines = readFileSync(`${base}.out`, "utf8").split("\n");
  return texts.slice(0, vectorsPerVocabulary).map((text, index) => ({
    text: Buffer.from(text, "latin1"),
    ids: lines[index]!.split(" ").filter(Boolean).map(Number),
  }));
}

function expectVectors(tokenizer: Tokenizer, name: string): void {
  const vectors = readVectors(name);
  expect(vectors).toHaveLength(vectorsPerVocabulary);
  for (const { text, ids } of vectors) {
    const encoded = tokenizer.encode(text, { addBos: "never" });
    expect(encoded, JSON.stringify(text.toString())).toEqual(ids);
    expect(tokenizer.decode(encoded), JSON.stringify(text.toString())).toBe(text.toString());
  }
}

/** A GPT-2 style vocabulary in the form its author published it. */
function readBytePairFiles(
  files: { readonly tokens: string; readonly merges: string },
  more: Readonly<Record<string, unknown>>,
): Tokenizer {
  const ids: Record<string, number> = JSON.parse(readFileSync(join(data, files.tokens), "utf8"));
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(ids)) tokens[id] = token;
  const merges = readFileSync(join(data, files.merges), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#version"));
  return createTokenizer(
    metadataOf({
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.merges": merges,
      ...more,
    }),
  );
}

describe.skipIf(data === "")(`published vectors${reason}`, () => {
  it.each(["llama-spm", "gpt-2", "falcon", "deepseek-coder"])(
    "all 47 texts of %s become the published ids and back",
    (name) => {
      const file = openGguf(join(data, "vocab", `ggml-vocab-${name}.gguf`));
      const tokenizer = createTokenizer(file.metadata);
      expect(tokenizer.notices).toEqual([]);
      expectVectors(tokenizer, name);
    },
  );

  it("all 47 texts of llama-bpe become the published ids with Llama 3.2's files", () => {
    const tokenizer = readBytePairFiles(
      { tokens: "tokenizers/llama3.2/encoder.json", merges: "tokenizers/llama3.2/vocab.bpe" },
      { "tokenizer.ggml.pre": "llama-bpe" },
    );
    expectVectors(tokenizer, "llama-bpe");
  });

  it("the text of OPT's tokenizer becomes the published ids", () => {
    const tokenizer = readBytePairFiles(
      { tokens: "tokenizers/opt/vocab.json", merges: "tokenizers/opt/merges.txt" },
      { "tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.bos_token_id": 2 },
    );
    const { text, ids } = JSON.parse(
      readFileSync(join(data, "tokenizers/opt/expected.json"), "utf8"),
    );
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.encode(text, { addBos: "always" })).toEqual([2, ...ids]);
  });

  it("the published story of stories260K survives encoding", () => {
    const folder = join(data, "models/stories260K");
    const tokenizer = createTokenizer(openGguf(join(folder, "stories260K-f32.gguf")).metadata);
    const story = readFileSync(join(folder, "greedy-expected.txt"), "utf8");
    const ids = tokenizer.encode(story);
    expect(ids[0]).toBe(tokenizer.special.bos);
    expect(tokenizer.decode(ids)).toBe(story);
  });
});

describe("the bundled model's tokenizer", () => {
  const model = new URL("../../models/default.gguf", import.meta.url);
  const golden = new URL("../../test/golden/default.json", import.meta.url);

  it("both files are there", () => {
    expect(existsSync(model) && existsSync(golden)).toBe(true);
  });

  it("every golden prompt becomes the golden ids, BOS first", () => {
    const tokenizer = createTokenizer(openGguf(model.pathname).metadata);
    const { prompts } = JSON.parse(readFileSync(golden, "utf8"));
    expect(prompts.length).toBeGreaterThan(0);
    for (const { prompt, prompt_ids } of prompts) {
      expect(tokenizer.encode(prompt)).toEqual(prompt_ids);
      expect(tokenizer.decode(prompt_ids)).toBe(prompt);
    }
  });
});
