/** How much of a mixture of experts a token reads: of published files as their publishers say, of made ones exactly. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { floats, modelFolder } from "../../test/fixtures/changed-model.ts";
import { readHeaderRecords, writeHeaderFile } from "../../test/fixtures/header-file.ts";
import { makeModel } from "../../tools/make-model/make-model.ts";
import { parseOptions } from "../../tools/make-model/options.ts";
import { openGguf } from "../gguf/open.ts";
import { metadataValue } from "../gguf/value.ts";
import { type ExpertUse, expertUse } from "./expert-use.ts";

const folder = mkdtempSync(join(tmpdir(), "expert-use-"));
const models = modelFolder();
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  models[Symbol.dispose]();
});

const { u32 } = metadataValue;

describe("a published mixture of experts", () => {
  const records = readHeaderRecords();

  it.each([
    ["gpt-oss-20b", 3.6],
    ["gemma-4-26B-A4B-it", 3.8],
    // Published as 12.9, 3.3 and 2.4 with the whole embedding.
    ["Mixtral-8x7B-Instruct-v0.1", 12.9 - 0.13],
    ["Qwen3-30B-A3B", 3.3 - 0.31],
    ["DeepSeek-V2-Lite-Chat", 2.7 - 0.21],
  ])("has %s as many active parameters as its publisher says", (name, billions) => {
    const record = records.get(name);
    if (record === undefined) throw new Error(`no record ${name}`);
    const path = join(folder, `${name}.gguf`);
    writeHeaderFile(path, record, 1024);
    const use = expertUse(openGguf(path));
    rmSync(path);
    expect(`u32 ${use?.count}`).toBe(record.keys[`${record.architecture}.expert_count`]);
    expect(Math.abs((use?.parametersPerToken ?? 0) / 1e9 - billions)).toBeLessThan(0.1);
  });
});

describe("a made mixture of experts", () => {
  const use = async (args: string): Promise<ExpertUse | undefined> => {
    const out = join(folder, "made.gguf");
    const small = "--dim 64 --layers 3 --ffn 96 --heads 4 --vocab 300 --type f32";
    await makeModel(parseOptions([out, ...`${small} ${args}`.split(" ")]));
    return expertUse(openGguf(out));
  };
  const expert = 3 * 64 * 96;
  /** Norms, projections, router. */
  const restOfLayer = 2 * 64 + 4 * 64 * 64 + 8 * 64;

  it("reads the chosen experts, one row of the embedding, and the rest", async () => {
    const found = await use("--arch mixtral --experts 8 --experts-used 2");
    const read = 3 * (restOfLayer + 2 * expert) + 64 + 300 * 64 + 64;
    const all = 3 * (restOfLayer + 8 * expert) + 2 * 300 * 64 + 64;
    expect(found).toEqual({
      count: 8,
      used: 2,
      weightBytes: 4 * all,
      bytesPerToken: 4 * read,
      parametersPerToken: read,
    });
  });

  it("reads a tied embedding as the output matrix", async () => {
    const [own, tied] = [await use("--arch mixtral"), await use("--arch mixtral --tied 1")];
    expect(own?.parametersPerToken).toBe((tied?.parametersPerToken ?? 0) + 64);
  });

  it("reads no layer that proposes further tokens", async () => {
    const args = "--arch glm4moe --dense-layers 1 --layers";
    const without = await use(`${args} 3`);
    const withOne = await use(`${args} 4 --nextn-layers 1`);
    expect(withOne?.parametersPerToken).toBe(without?.parametersPerToken);
    expect(withOne?.weightBytes).toBeGreaterThan(without?.weightBytes ?? 0);
  });

  it("may have a tensor for each expert, as in old files", async () => {
    const rows = (name: string) => floats(name, new Array<number>(64).fill(0), [32, 2]);
    const names = Array.from({ length: 4 }, (_, one) => `blk.0.ffn_gate.${one}.weight`);
    const tensors = Object.fromEntries(names.map((name) => [name, rows(name)]));
    const counts = (used: number) => ({
      "llama.expert_count": u32(4),
      "llama.expert_used_count": u32(used),
    });
    const [one, four] = [
      expertUse(openGguf(await models.write("--arch llama", { tensors, keys: counts(1) }))),
      expertUse(openGguf(await models.write("--arch llama", { tensors, keys: counts(4) }))),
    ];
    expect(four?.parametersPerToken).toBe((one?.parametersPerToken ?? 0) + 3 * 64);
  });
});

it.each([
  ["there are none", {}],
  ["none is used", { "llama.expert_count": u32(8), "llama.expert_used_count": u32(0) }],
  [
    "more are used than there are",
    { "llama.expert_count": u32(8), "llama.expert_used_count": u32(9) },
  ],
  ["their count is a text", { "llama.expert_count": metadataValue.string("8") }],
])("nothing is said of experts where %s", async (_, keys) => {
  expect(expertUse(openGguf(await models.write("--arch llama", { keys })))).toBeUndefined();
});
