/** Models of published architectures: their files are sound, their options are theirs, and what is off has no effect. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openGguf } from "../../src/gguf/open.ts";
import { makeModel } from "./make-model.ts";
import { modelMetadata } from "./metadata.ts";
import { parseOptions } from "./options.ts";
import { recipes } from "./recipes.ts";
import { modelTensors } from "./tensors.ts";
import { variantOptions, variants } from "./variants.ts";

const folder = mkdtempSync(join(tmpdir(), "recipes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shape = "--dim 32 --layers 4 --ffn 64 --heads 4 --kv-heads 2 --vocab 300 --type f32";

function parse(args: string) {
  return parseOptions([join(folder, "model.gguf"), ...`${shape} ${args}`.trim().split(/\s+/)]);
}

function floatsOf(args: string, name: string): Float32Array {
  const tensor = modelTensors(parse(args)).find((each) => each.name === name);
  if (tensor === undefined) throw new Error(`no tensor ${name}`);
  // A piece may be used again for the next one.
  const pieces = [...(tensor.data() as Iterable<Uint8Array>)].map((piece) => piece.slice());
  return new Float32Array(Uint8Array.from(Buffer.concat(pieces)).buffer);
}

describe("a model of", () => {
  it.each([...recipes.keys()])("%s is written with finite weights", async (name) => {
    const options = parse(`--arch ${name}`);
    await makeModel(options);
    const gguf = openGguf(options.out);
    const architecture = recipes.get(name)?.architecture ?? name;
    expect(gguf.metadata.string("general.architecture")).toBe(architecture);
    expect(gguf.metadata.number(`${architecture}.block_count`)).toBe(4);
    expect(gguf.tensors.has("output.weight")).toBe(options.kind === "recipe" && !isTied(name));
    expect(gguf.tensors.has("blk.3.attn_output.weight")).toBe(true);
    for (const tensor of modelTensors(options)) {
      for (const piece of tensor.data() as Iterable<Uint8Array>) {
        const values = new Float32Array(piece.buffer, piece.byteOffset, piece.length / 4);
        expect(values.every(Number.isFinite), tensor.name).toBe(true);
      }
    }
  });

  function isTied(name: string): boolean {
    const recipe = recipes.get(name);
    return recipe?.alwaysTied === true || recipe?.features.tied === 1;
  }

  it("every recipe is in the list of variants, whose options all exist", () => {
    expect(new Set(variants.map((each) => variantOptions(each, "x.gguf").recipe.name))).toEqual(
      new Set(recipes.keys()),
    );
    for (const variant of variants) {
      const describeModel = (changes: string): string => {
        const options = variantOptions(variant, "x.gguf", changes);
        const names = modelTensors(options).map(({ name }) => name);
        return JSON.stringify([[...modelMetadata(options)], names, options.neutral]);
      };
      expect(Object.keys(variant.without).length).toBeGreaterThan(0);
      for (const changes of Object.values(variant.without)) {
        expect(describeModel(changes), changes).not.toBe(describeModel(""));
      }
    }
  });
});

describe("an option of an architecture", () => {
  it.each([
    [
      "--arch granite --window 5",
      /^--window: granite has no such option; it has --tied, .*--logit/,
    ],
    ["--arch llama --soft-cap 3", "--soft-cap: llama has no such option; it has none of its own"],
    ["--arch llama --neutral output_norm.weight", /--neutral: llama has no such option/],
    ["--arch gemma2 --window 0", /--window: 0 .* a whole number from 1 to 4294967295, or off/],
    ["--arch gemma2 --soft-cap nan", /--soft-cap: nan .*, or off/],
    ["--arch granite --active 0.1", /--active: granite has no such option/],
    ["--arch granite --expert-type q8_0", /--expert-type: granite has no such option/],
    ["--arch mixtral --expert-type q8", "--expert-type: q8 "],
    ["--arch granite --powerinfer", /--powerinfer: granite has no such option/],
    ["--arch granite --heads 3", /--heads: 3/],
    ["--arch mamba", /architecture "mamba".*llama.*granite/],
  ])("is refused by its name where there is none: %s", (args, message) => {
    expect(() => parse(args)).toThrow(message);
  });

  it("names a tensor without effect, which must exist", () => {
    expect(() => modelTensors(parse("--arch granite --neutral attn_q.bias"))).toThrow(
      /--neutral: attn_q\.bias .*attn_q\.weight/,
    );
    const norm = "blk.1.attn_q_norm.weight";
    const plain = floatsOf("--arch gemma3", norm);
    expect(new Set(plain).size).toBe(8);
    expect(floatsOf("--arch gemma3 --neutral attn_q_norm.weight", norm)).toEqual(
      new Float32Array(8).fill(1.5),
    );
    // Others keep their content.
    const other = "blk.1.attn_k_norm.weight";
    expect(floatsOf("--arch gemma3 --neutral attn_q_norm.weight", other)).toEqual(
      floatsOf("--arch gemma3", other),
    );
  });

  it("leaves its key out when it is off", () => {
    const keys = (args: string) => modelMetadata(parse(`--arch gemma2 ${args}`));
    expect(keys("").get("gemma2.attn_logit_softcapping")).toMatchObject({ value: 2 });
    expect(keys("--soft-cap 30").get("gemma2.attn_logit_softcapping")).toMatchObject({ value: 30 });
    expect(keys("--soft-cap off").has("gemma2.attn_logit_softcapping")).toBe(false);
  });
});

describe("experts", () => {
  it("have matrices of a type of their own, routers stay F32", () => {
    const made = parse("--arch qwen3moe --expert-type mxfp4");
    const types = new Map(modelTensors(made).map(({ name, type }) => [name, type]));
    expect(types.get("blk.0.ffn_up_exps.weight")).toBe("MXFP4");
    expect(types.get("blk.0.attn_q.weight")).toBe("F32");
    expect(types.get("blk.0.ffn_gate_inp.weight")).toBe("F32");
    expect(modelMetadata(made).get("general.file_type")).toMatchObject({ value: 38 });
  });

  it("are as many, and as wide, as was asked", () => {
    const args = "--arch glm4moe --experts 6 --expert-ffn 32 --shared-experts 2 --dense-layers 2";
    const shapes = new Map(modelTensors(parse(args)).map((one) => [one.name, one.dimensions]));
    expect(shapes.get("blk.1.ffn_up.weight")).toEqual([32, 64]);
    expect(shapes.has("blk.1.ffn_up_exps.weight")).toBe(false);
    expect(shapes.get("blk.2.ffn_gate_inp.weight")).toEqual([32, 6]);
    expect(shapes.get("blk.2.ffn_down_exps.weight")).toEqual([32, 32, 6]);
    expect(shapes.get("blk.2.ffn_up_shexp.weight")).toEqual([32, 64]);
  });

  it.each([
    ["mixtral", []],
    ["gpt-oss", []],
    ["glm4moe", ["ffn_down_shexp"]],
    ["qwen35moe", ["ffn_down_shexp", "ssm_out"]],
    ["gemma4 --experts 4 --shared-kv-layers off", ["ffn_down", "proj"]],
  ])("of %s are chosen by channels that no layer adds to", (arch, others) => {
    const routed = 32 / 4;
    const args = `--arch ${arch}`;
    const router = floatsOf(args, "blk.1.ffn_gate_inp.weight");
    expect(router.every((weight, at) => (weight !== 0) === at % 32 < routed)).toBe(true);
    const mixer = others.includes("ssm_out") ? [] : ["attn_output"];
    for (const name of ["ffn_down_exps", ...mixer, ...others]) {
      const down = floatsOf(args, `blk.1.${name}.weight`);
      const experts = name === "ffn_down_exps" ? router.length / 32 : 1;
      const columns = down.length / 32 / experts;
      const isAdded = (at: number): boolean => Math.floor(at / columns) % 32 >= routed;
      expect(down.every((weight, at) => (weight !== 0) === isAdded(at))).toBe(true);
    }
  });

  it("are preferred by routers with a skew, in another order in each layer", () => {
    // The sum of a row's first eighth is what constant channels of 1 give each expert.
    const preferences = (layer: number): number[] => {
      const args = "--arch qwen3moe --experts 8 --router-skew 1";
      const rows = floatsOf(args, `blk.${layer}.ffn_gate_inp.weight`);
      return Array.from({ length: 8 }, (_, expert) => rows[expert * 32] ?? 0);
    };
    const [first, second] = [preferences(0), preferences(1)];
    const sorted = first.toSorted((left, right) => right - left);
    expect(sorted[0]).toBeCloseTo(0);
    // In proportion to ln(rank).
    for (const [index, value] of sorted.entries()) {
      expect(value).toBeCloseTo(((sorted[1] ?? 0) * Math.log(index + 1)) / Math.log(2), 5);
    }
    expect(second.indexOf(Math.max(...second))).not.toBe(first.indexOf(Math.max(...first)));
    const embedding = floatsOf("--arch qwen3moe --router-skew 1", "token_embd.weight");
    expect(new Set(embedding.filter((_, index) => index % 32 < 4)).size).toBe(1);
  });
});
