/** What Gemma 4's keys and tensors make of its layers, and what hostile files say of them. */
import { afterAll, describe, expect, it } from "vitest";
import { type Changes, floats, modelFolder, zeros } from "../../test/fixtures/changed-model.ts";
import { openGguf } from "../gguf/open.ts";
import { type MetadataValue, metadataValue } from "../gguf/value.ts";
import type { OpKind, OpOf } from "../ops/op.ts";
import type { Program } from "../ops/program.ts";
import { opsOfKind } from "../ops/program-ops.ts";
import { buildProgram } from "./build-program.ts";
import { type Model, openModel } from "./model.ts";

const { u32, u32s, f32 } = metadataValue;
const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

/** Windows in layers 0, 2 and 4; the last two read keys and values of layers 2 and 3. */
const small = "--arch gemma4 --dim 32 --layers 6 --ffn 32 --head-dim 16 --head-dim-swa 8";
const large = `${small} --shared-kv-layers off --per-layer-embedding off --shared-keys 1`;

async function open(args: string, changes: Changes = {}): Promise<Model> {
  return openModel(openGguf(await folder.write(args, changes)));
}

async function programOf(args: string): Promise<Program> {
  const limits = { contextLength: 64, sequences: 1, maxRows: 8, maxOutputs: 1 };
  const options = { ...limits, kvType: "f32", output: "logits" } as const;
  return buildProgram(await open(args), options).program;
}

const opsIn = <Kind extends OpKind>(program: Program, kind: Kind): readonly OpOf<Kind>[] =>
  opsOfKind(program, kind);

describe("gemma4", () => {
  it("keeps nothing in layers that read the cache of an earlier one of their kind", async () => {
    const program = await programOf(small);
    const kinds = program.kv.layers.map(({ kind }) => kind);
    expect(kinds).toEqual(["window", "full", "window", "full", "none", "none"]);
    const layers = opsIn(program, "attention").map(({ layer }) => layer);
    expect(layers).toEqual([0, 1, 2, 3, 2, 3]);
    expect(opsIn(program, "store-kv").map(({ layer }) => layer)).toEqual([0, 1, 2, 3]);
  });

  it("needs no keys and values in the file for them", async () => {
    const removed = ["attn_k.weight", "attn_v.weight", "attn_k_norm.weight"];
    const names = [4, 5].flatMap((layer) => removed.map((name) => `blk.${layer}.${name}`));
    const tensors = Object.fromEntries(names.map((name) => [name, undefined]));
    expect((await open(small, { tensors })).layers).toHaveLength(6);
  });

  it("divides frequencies by rope_freqs only in layers without a window", async () => {
    const ropes = opsIn(await programOf(`${small} --rope-base 500`), "rope");
    const [local, global] = [ropes[0]!, ropes[2]!];
    expect(local.frequencies).toHaveLength(4);
    expect(local.frequencies[1]).toBeCloseTo(500 ** (-2 / 8), 6);
    expect(global.frequencies).toHaveLength(8);
    expect(global.frequencies[1]).not.toBeCloseTo(500 ** (-2 / 16), 2);
  });

  it("makes values of keys before their norm where the file has none", async () => {
    const program = await programOf(large);
    const norms = opsIn(program, "norm").filter(({ weight }) => weight === undefined);
    const made = norms.map(({ x, out }) => [x.name, out.name]);
    expect(made.slice(0, 2)).toEqual([
      ["v", "v"],
      ["k of 32", "v of 32"],
    ]);
  });

  it.each<[string, string, MetadataValue | undefined, RegExp]>([
    ["as many readers as layers", "attention.shared_kv_layers", u32(6), /found 6, .*from 0 to 5/],
    [
      "2^32 readers",
      "attention.shared_kv_layers",
      { kind: "long", type: "u64", value: 2n ** 32n },
      /shared_kv_layers.*found 4294967296/,
    ],
    [
      "readers of layers that are not there",
      "attention.shared_kv_layers",
      u32(5),
      /found 5, expected before them a layer that sees all tokens/,
    ],
    [
      "readers with other heads",
      "attention.head_count_kv",
      u32s([2, 2, 2, 2, 1, 2]),
      /found 2, expected before them a layer that has a window, with the heads .* of layer 4/,
    ],
    ["a window of nothing", "attention.sliding_window", u32(0), /sliding_window.*found 0/],
    ["no window", "attention.sliding_window", undefined, /sliding_window/],
    ["a period", "attention.sliding_window_pattern", u32(2), /found 2, expected one flag for each/],
    ["no pattern", "attention.sliding_window_pattern", undefined, /no value, expected one flag/],
    ["a cap that is no number", "final_logit_softcapping", f32(Number.NaN), /softcap.*found NaN/],
    ["embeddings of 2^31", "embedding_length_per_layer_input", u32(2 ** 31), /found 2147483648/],
  ])("refuses %s", async (_, key, value, message) => {
    await expect(open(small, { keys: { [`gemma4.${key}`]: value } })).rejects.toThrow(message);
  });

  it.each([
    [Number.NaN, "NaN"],
    [0, "0"],
    [Number.POSITIVE_INFINITY, "Infinity"],
  ])("refuses a scale of %d", async (scale, shown) => {
    const name = "blk.1.layer_output_scale.weight";
    const tensors = { [name]: floats(name, [scale]) };
    await expect(open(small, { tensors })).rejects.toThrow(`${name}: found ${shown}, expected a`);
  });

  it("refuses a table of embeddings with other rows than tokens", async () => {
    const name = "per_layer_token_embd.weight";
    const tensors = { [name]: zeros(name, "F32", [32 * 6, 7]) };
    await expect(open(small, { tensors })).rejects.toThrow(
      /per_layer_token_embd.*found \[192, 7\]/,
    );
  });
});
