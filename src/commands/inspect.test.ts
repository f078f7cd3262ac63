/** What `inspect` says of published files (their headers, test/fixtures/headers) and of files that hearth cannot run. */
import { copyFileSync, mkdtempSync, renameSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Changes, modelFolder } from "../../test/fixtures/changed-model.ts";
import { readHeaderRecords, writeHeaderFile } from "../../test/fixtures/header-file.ts";
import { modelMetadata } from "../../tools/make-model/metadata.ts";
import { parseOptions } from "../../tools/make-model/options.ts";
import { modelTensors } from "../../tools/make-model/tensors.ts";
import { metadataValue } from "../gguf/value.ts";
import { architectureNames } from "../model/registry.ts";
import { type Inspection, inspectModel } from "./inspect.ts";

const folder = mkdtempSync(join(tmpdir(), "inspect-"));
const models = modelFolder();
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  models[Symbol.dispose]();
});

const { string, u32 } = metadataValue;

/** What still stands in the way of files whose architecture runs, or of one. It is to be taken out with the hindrance. */
const hindrances: Readonly<Record<string, RegExp>> = {
  "bitnet-b1.58": /type id 36/,
};

/** Architectures of which some layers keep a window of keys and values, or a state. */
const gemmas = ["gemma2", "gemma3", "gemma4"];
const partialCaches = new Set([...gemmas, "gpt-oss", "qwen35", "qwen35moe", "qwen3next"]);

describe.each([...readHeaderRecords()])("the published file %s", (name, record) => {
  const { architecture } = record;
  let known: Inspection | undefined;
  const inspection = (): Inspection => {
    if (known !== undefined) return known;
    const path = join(folder, `${name}.gguf`);
    // One with the whole vocabulary; a few tokens of the others, to save time.
    const tokens = name === "SmolLM3-3B" ? record.vocabulary.size : 1024;
    writeHeaderFile(path, record, tokens);
    known = inspectModel(path);
    rmSync(path);
    return known;
  };

  it("is recognised by its header", () => {
    const { parameters, tensors, contextLength } = inspection();
    expect(inspection().architecture).toBe(architecture);
    expect(`${(parameters / 1e9).toFixed(2)} B`).toBe(record.published);
    expect(tensors).toHaveLength(record.tensorCount);
    expect(`u32 ${contextLength}`).toBe(record.keys[`${architecture}.context_length`]);
  });

  if (record.made !== undefined) {
    it("has tensors and keys of the names that make-model writes", () => {
      const small = "--dim 64 --layers 4 --heads 4 --kv-heads 2 --context 512";
      const options = parseOptions(["x.gguf", ...`${small} ${record.made}`.split(" ")]);
      const bare = (names: Iterable<string>): readonly string[] =>
        [...new Set([...names].map((each) => each.replace(/^blk\.\d+\./, "blk.")))].toSorted();
      expect(bare(modelTensors(options).map((tensor) => tensor.name))).toEqual(
        bare(inspection().tensors.map((tensor) => tensor.name)),
      );
      const published = new Set(inspection().metadata.map(([key]) => key));
      const made = [...modelMetadata(options).keys()].filter((key) =>
        key.startsWith(`${architecture}.`),
      );
      expect(made.filter((key) => !published.has(key) && !isAdded(key))).toEqual([]);
    });
  }

  // Once an architecture is in the registry this turns on by itself; until then it is a named skip.
  const isKnown = architectureNames.includes(architecture);
  const title = isKnown ? "runs" : `runs: architecture ${architecture} is not in the registry yet`;
  it.skipIf(!isKnown)(title, () => {
    const { runs, reason, model } = inspection();
    const hindrance = hindrances[name] ?? hindrances[architecture];
    if (hindrance !== undefined) {
      expect(reason).toMatch(hindrance);
      return;
    }
    expect(reason).toBeUndefined();
    expect(runs).toBe(true);
    expect(model?.parameters).toBe(inspection().parameters);
    const cache = inspection().kvCacheBytes(4096, "f16");
    if (hasFullCacheOnly) expect(cache).toBe(4096 * fullCacheBytesPerToken());
    else expect(cache).toBeGreaterThan(1e6);
    expect(inspection().memoryBytes).toBeGreaterThan(2 ** 28);
  });

  const number = (key: string): number =>
    Number(record.keys[`${architecture}.${key}`]?.replace(/^u32 /, ""));
  /** No windows, no state: f16 keys and values of all layers. Phi's window is longer than its context. */
  const hasFullCacheOnly = !partialCaches.has(architecture);
  const fullCacheBytesPerToken = (): number => {
    const headDim =
      number("attention.key_length") || number("embedding_length") / number("attention.head_count");
    // Those that propose further tokens are not computed.
    const layers = number("block_count") - (number("nextn_predict_layers") || 0);
    return layers * number("attention.head_count_kv") * 2 * headDim * 2;
  };

  if (isKnown) return;
  it("says why it does not run", () => {
    const { runs, reason, kvCacheBytes } = inspection();
    expect(runs).toBe(false);
    expect(reason).toMatch(new RegExp(`architecture "${architecture}"|type id 36`));
    expect(kvCacheBytes(4096, "f16")).toBeUndefined();
  });
});

/** Keys by which recipes reach both kinds of layer with few of them, or that only newer files have. */
function isAdded(key: string): boolean {
  const added = ["vocab_size", "attention.sliding_window_pattern", "rope.dimension_count"];
  added.push("rope.freq_base", "rope.freq_base_swa", "rope.scaling.type", "rope.scaling.factor");
  return added.some((name) => key.endsWith(`.${name}`));
}

describe("a file that hearth cannot run", () => {
  const inspect = async (changes: Changes, args = "--arch llama"): Promise<Inspection> =>
    inspectModel(await models.write(args, changes));

  it.each([
    ["experts", { keys: { "llama.expert_count": u32(8) } }, /expert_used_count/],
    ["an adapter", { keys: { "general.type": string("adapter") } }, /general\.type "adapter"/],
    ["a vision part", { keys: { "general.type": string("mmproj") } }, /"mmproj".*the model itself/],
    ["another tokenizer", { keys: { "tokenizer.ggml.model": string("rwkv") } }, /rwkv/],
    ["another architecture", { keys: { "general.architecture": string("mamba") } }, /"mamba"/],
  ])("is shown and says why not: %s", async (_, changes, reason) => {
    const inspection = await inspect(changes);
    expect(inspection.runs).toBe(false);
    expect(inspection.reason).toMatch(reason);
    expect(inspection.tensors).toHaveLength(2 * 9 + 3);
    expect(inspection.parameters).toBeGreaterThan(100_000);
  });

  it("is a part of a model whose other parts are missing", async () => {
    const whole = await models.write("--arch llama", {
      keys: { "split.no": u32(0), "split.count": u32(2), "split.tensors.count": u32(40) },
    });
    const part = join(folder, "split-00001-of-00002.gguf");
    renameSync(whole, part);
    const { runs, reason, tensors } = inspectModel(part);
    expect(runs).toBe(false);
    expect(reason).toContain("split-00002-of-00002.gguf: no such file");
    expect(tensors).toHaveLength(2 * 9 + 3);
  });

  it("was cut off while it was copied", async () => {
    const cut = join(folder, "cut.gguf");
    copyFileSync(await models.write("--arch llama"), cut);
    truncateSync(cut, 100_000);
    const { runs, reason, tensors, fileBytes } = inspectModel(cut);
    expect(runs).toBe(false);
    expect(reason).toMatch(/expected an end within the \d+ bytes of data in the file/);
    expect(tensors).toHaveLength(2 * 9 + 3);
    expect(fileBytes).toBe(100_000);
  });

  it("is an error where no header can be read", async () => {
    const cut = join(folder, "header.gguf");
    copyFileSync(await models.write("--arch llama"), cut);
    truncateSync(cut, 1000);
    expect(() => inspectModel(cut)).toThrow(/header\.gguf: /);
  });
});
