/** Importance matrices of whole models: made, and used. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { openGguf } from "../gguf/open.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import { profileImportance } from "./profile-importance.ts";
import { quantizeModel } from "./quantize.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-importance-"));
afterAll(() => rmSync(folder, { recursive: true }));
const model = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));
const text = join(folder, "story.txt");
writeFileSync(text, "It was a dark and stormy night; the rain fell in torrents. ".repeat(12));
const output = join(folder, "made.gguf");

describe("an importance matrix of a model", () => {
  it("knows every matrix of every layer, and those with the same input alike", async () => {
    const made = await profileImportance(model, {
      corpora: [text],
      output,
      tokens: 90,
      window: 32,
    });
    expect(made).toMatchObject({ output, tokens: 90, isComplete: true });
    const file = openGguf(output);
    const sumsOf = (name: string): Uint8Array => {
      const tensor = file.tensors.get(`${name}.in_sum2`);
      if (tensor === undefined) throw new Error(`no sums of ${name}`);
      return readTensorBytes(tensor);
    };
    const names = [...openGguf(model).tensors.keys()];
    const known = names.filter((name) => /(attn_[qkvo]\w*|ffn_(gate|up|down))\.weight$/.test(name));
    expect(made.matrices).toBe(known.length);
    const layers = names.filter((name) => name.endsWith("attn_q.weight")).length;
    expect(layers).toBeGreaterThan(0);
    for (let layer = 0; layer < layers; layer++) {
      const [q, k] = ["attn_q", "attn_k"].map((part) => sumsOf(`blk.${layer}.${part}.weight`));
      expect(q).toEqual(k);
      expect(sumsOf(`blk.${layer}.ffn_up.weight`)).not.toEqual(q);
    }
  });

  it("changes what a model is quantised to, the same for any number of threads", async () => {
    const files = await Promise.all(
      [undefined, output].flatMap((imatrix) =>
        [1, 3].map(async (threads) => {
          const path = join(folder, `${imatrix === undefined ? "plain" : "known"}-${threads}.gguf`);
          const known = imatrix === undefined ? {} : { imatrix };
          await quantizeModel({ input: model, output: path, type: "Q4_0", threads, ...known });
          const tensor = openGguf(path).tensors.get("blk.1.ffn_up.weight");
          if (tensor === undefined) throw new Error("no ffn_up");
          return readTensorBytes(tensor);
        }),
      ),
    );
    const [plain, plainToo, known, knownToo] = files;
    expect(plainToo).toEqual(plain);
    expect(knownToo).toEqual(known);
    expect(known).not.toEqual(plain);
  });

  it("is stopped without loss of what was read, and refused without a text", async () => {
    const stop = new AbortController();
    const request = { corpora: [text], output, tokens: 90, window: 32, signal: stop.signal };
    const onTokens = (): void => stop.abort();
    const made = await profileImportance(model, { ...request, onTokens });
    expect(made.isComplete).toBe(false);
    expect(made.tokens).toBeLessThan(90);
    await expect(profileImportance(model, { corpora: [], output })).rejects.toThrow(/a text/);
  });
});
