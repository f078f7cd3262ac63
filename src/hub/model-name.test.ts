/** What people type for a model on the hub, and the catalogue of short names. */
import { describe, expect, it } from "vitest";
import { readCatalogue } from "./catalogue.ts";
import { isHubName, isShortName, parseHubName } from "./model-name.ts";

describe("the name of a model on the hub", () => {
  it.each([
    ["Qwen/Qwen3-8B-GGUF", "Qwen/Qwen3-8B-GGUF", "main", undefined],
    ["hf:Qwen/Qwen3-8B-GGUF:q5_k_m", "Qwen/Qwen3-8B-GGUF", "main", "q5_k_m"],
    ["hf://o/m@v1.0:sub/m-Q4_0.gguf", "o/m", "v1.0", "sub/m-Q4_0.gguf"],
    ["hf.co/o/m:Q8_0", "o/m", "main", "Q8_0"],
    ["https://huggingface.co/o/m", "o/m", "main", undefined],
    ["https://huggingface.co/o/m/tree/dev", "o/m", "dev", undefined],
    ["https://huggingface.co/o/m/resolve/main/a%20b.gguf?download=true", "o/m", "main", "a b.gguf"],
    ["qwen3:8b", "Qwen/Qwen3-8B-GGUF", "main", undefined],
    ["hf:smollm2:Q8_0", "HuggingFaceTB/SmolLM2-1.7B-Instruct-GGUF", "main", "Q8_0"],
    ["qwen3:8b:Q6_K", "Qwen/Qwen3-8B-GGUF", "main", "Q6_K"],
  ])("is read: %s", (text, repository, revision, quant) => {
    expect(parseHubName(text)).toEqual({ repository, revision, quant });
  });

  it.each(["qwen3:9b", "../x", "o/m/extra/path", "", "o/..", "-x/y"])("is refused: %s", (text) => {
    expect(() => parseHubName(text)).toThrow(/expected OWNER\/NAME/);
  });

  it("that is near a short name is answered with those", () => {
    expect(() => parseHubName("smolm2")).toThrow(/\(smollm2,|\(smollm2/);
  });

  it("is told from a file", () => {
    const texts = ["hf:o/m", "https://hf.co/o/m", "qwen3:8b", "qwen3:9b", "o/m", "m.gguf"];
    expect(texts.filter(isHubName)).toEqual(["hf:o/m", "https://hf.co/o/m"]);
    expect(texts.filter(isShortName)).toEqual(["qwen3:8b"]);
  });
});

describe("the catalogue", () => {
  it("maps short names to repositories that a name can name", () => {
    const catalogue = readCatalogue();
    expect(catalogue.size).toBeGreaterThan(20);
    for (const [name, repository] of catalogue) {
      expect(name).toMatch(/^[a-z][a-z0-9.-]*(:[\d.]+[bm])?$/);
      expect(parseHubName(repository).repository).toBe(repository);
    }
  });
});
