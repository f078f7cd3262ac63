/** What other converters write: it is computed as llama.cpp computes it, or refused by its name. */
import { afterAll, describe, expect, it } from "vitest";
import { type Changes, floats, modelFolder } from "../../test/fixtures/changed-model.ts";
import { lastLogits } from "../../test/fixtures/last-logits.ts";
import { UnsupportedError } from "../core/errors.ts";
import { createRandom } from "../core/random.ts";
import { openGguf } from "../gguf/open.ts";
import { type MetadataValue, metadataValue } from "../gguf/value.ts";
import type { TensorToWrite } from "../gguf/write.ts";
import { type Model, openModel } from "./model.ts";

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

const { u32, f32, string, boolean, i32s } = metadataValue;

async function open(args: string, changes: Changes = {}): Promise<Model> {
  return openModel(openGguf(await folder.write(args, changes)));
}

function numbers(length: number, seed: number): number[] {
  const source = createRandom(seed);
  return Array.from({ length }, () => Math.fround(source.normal() / 4));
}

function random(name: string, dimensions: readonly number[]): TensorToWrite {
  const length = dimensions.reduce((product, each) => product * each, 1);
  return floats(name, numbers(length, 1), dimensions);
}

describe("biases", () => {
  it.each(["qwen2", "llama", "falcon", "opt"])(
    "of the output of %s are added to the logits",
    async (arch) => {
      const args = `--arch ${arch} --type f32`;
      const bias = numbers(300, 2);
      const without = await lastLogits(await open(args));
      const changed = { "output.bias": floats("output.bias", bias) };
      const withBias = await lastLogits(await open(args, { tensors: changed }));
      for (const [id, logit] of without.entries()) {
        const expected = logit + (bias[id] ?? 0);
        // One rounding to f32 of the logit without, one of the logit with its bias.
        const bound = 2 ** -24 * (Math.abs(logit) + Math.abs(expected));
        expect(Math.abs((withBias[id] ?? 0) - expected)).toBeLessThanOrEqual(bound);
      }
    },
  );

  it("of a fused attn_qkv are those of its parts", async () => {
    const weight = numbers(128 * 256, 3);
    const bias = numbers(256, 4);
    const part = (name: string, start: number, count: number): Record<string, TensorToWrite> => {
      const rows = weight.slice(start * 128, (start + count) * 128);
      const entries = bias.slice(start, start + count);
      return {
        [`blk.0.${name}.weight`]: floats(`blk.0.${name}.weight`, rows, [128, count]),
        [`blk.0.${name}.bias`]: floats(`blk.0.${name}.bias`, entries),
      };
    };
    const parts = {
      ...part("attn_q", 0, 128),
      ...part("attn_k", 128, 64),
      ...part("attn_v", 192, 64),
    };
    const none = {
      "blk.0.attn_q.weight": undefined,
      "blk.0.attn_k.weight": undefined,
      "blk.0.attn_v.weight": undefined,
    };
    const fused = {
      "blk.0.attn_qkv.weight": floats("blk.0.attn_qkv.weight", weight, [128, 256]),
      "blk.0.attn_qkv.bias": floats("blk.0.attn_qkv.bias", bias),
    };
    const args = "--arch llama --type f32";
    const separate = await lastLogits(await open(args, { tensors: parts }));
    expect(await lastLogits(await open(args, { tensors: { ...none, ...fused } }))).toEqual(
      separate,
    );
  });

  it("of q, k and v may be missing in a qwen2, all or some", async () => {
    const zero = (name: string, length: number): TensorToWrite =>
      floats(name, new Array(length).fill(0));
    const lengths = { "blk.0.attn_q.bias": 128, "blk.0.attn_k.bias": 64, "blk.1.attn_v.bias": 64 };
    const zeroed = Object.entries(lengths).map(([name, length]) => [name, zero(name, length)]);
    const missing = Object.keys(lengths).map((name) => [name, undefined]);
    const args = "--arch qwen2 --type f32";
    const expected = await lastLogits(await open(args, { tensors: Object.fromEntries(zeroed) }));
    const found = await lastLogits(await open(args, { tensors: Object.fromEntries(missing) }));
    expect(found).toEqual(expected);
  });

  it("of Falcon-40B's second norm may be missing", async () => {
    const name = "blk.0.attn_norm_2.bias";
    const zero = floats(name, new Array<number>(128).fill(0));
    const args = "--arch falcon --type f32";
    const expected = await lastLogits(await open(args, { tensors: { [name]: zero } }));
    expect(await lastLogits(await open(args, { tensors: { [name]: undefined } }))).toEqual(
      expected,
    );
  });
});

it("an opt with an output matrix of its own uses it", async () => {
  const output = random("output.weight", [128, 300]);
  const model = await open("--arch opt --type f32", { tensors: { "output.weight": output } });
  expect(model.tied).toBe(false);
  expect(model.output.name).toBe("output.weight");
});

describe("a tensor that the architecture does not have", () => {
  it.each([
    ["llama", "blk.0.attn_q.scale", [1]],
    ["llama", "blk.1.ffn_down.scale", [1]],
    ["llama", "blk.0.attn_q_norm.weight", [32]],
    ["llama", "blk.0.attn_k_norm.weight", [32]],
    ["llama", "blk.0.attn_norm.bias", [128]],
    ["llama", "output_norm.bias", [128]],
    ["llama", "blk.0.post_attention_norm.weight", [128]],
    ["qwen3", "blk.0.attn_sinks.weight", [4]],
    ["llama", "rope_factors_long.weight", [16]],
    ["llama", "blk.0.attn_rot_embd.weight", [16]],
    ["llama", "token_types.weight", [128, 2]],
    ["llama", "token_embd_norm.weight", [128]],
    ["arcee", "blk.0.ffn_gate.weight", [128, 256]],
    ["opt", "rope_freqs.weight", [16]],
    ["falcon", "blk.0.ffn_norm.weight", [128]],
    ["nemotron", "cls.output.weight", [128, 2]],
    ["qwen2", "blk.2.attn_q.weight", [128, 128]],
    ["llama", "blk.0.fc2.weight", [16, 256]],
  ])("is refused: %s, %s", async (arch, name, dimensions) => {
    const tensors = { [name]: random(name, dimensions) };
    const opened = open(`--arch ${arch}`, { tensors });
    await expect(opened).rejects.toThrow(UnsupportedError);
    await expect(opened).rejects.toThrow(`tensors beside those of architecture ${arch} (${name})`);
  });

  it("is named, six of many", async () => {
    const names = Array.from({ length: 9 }, (_, index) => `surprise.${index}`);
    const tensors = Object.fromEntries(names.map((name) => [name, random(name, [1])]));
    const list = `(${names.slice(0, 6).join(", ")} and 3 more)`;
    await expect(open("--arch llama", { tensors })).rejects.toThrow(list);
  });
});

const changing: readonly (readonly [string, MetadataValue])[] = [
  ["attention.causal", boolean(false)],
  ["attn_logit_softcapping", f32(50)],
  ["final_logit_softcapping", f32(30)],
  ["logit_scale", f32(0.1)],
  ["embedding_scale", f32(12)],
  ["residual_scale", f32(0.22)],
  ["attention.clamp_kqv", f32(8)],
  ["attention.max_alibi_bias", f32(8)],
  ["attention.output_scale", f32(0.5)],
  ["attention.temperature_length", u32(8192)],
  ["attention.key_length_mla", u32(192)],
  ["attention.shared_kv_layers", u32(1)],
  ["attention.sliding_window_pattern", u32(6)],
  ["expert_shared_count", u32(1)],
  ["expert_feed_forward_length", u32(64)],
  ["leading_dense_block_count", u32(1)],
  ["nextn_predict_layers", u32(1)],
  ["pooling_type", u32(2)],
  ["use_parallel_residual", boolean(true)],
  ["tensor_data_layout", string("jploski")],
  ["hidden_activation", string("gelu")],
  ["rope.dimension_sections", i32s([16, 24, 24, 0])],
  ["rope.freq_base_swa", f32(10000)],
  ["rope.scaling.alpha", f32(1000)],
  ["rope.scaling.yarn_log_multiplier", f32(0.1)],
  ["rope.scaling.yarn_ext_factor", f32(0.5)],
  ["ssm.state_size", u32(16)],
  ["something.new", u32(3)],
];

const harmless: readonly (readonly [string, MetadataValue])[] = [
  ["attention.causal", boolean(true)],
  ["attn_logit_softcapping", f32(0)],
  ["logit_scale", f32(1)],
  ["residual_scale", f32(0)],
  ["attention.sliding_window_pattern", { kind: "booleans", values: Uint8Array.of(0, 0) }],
  ["attention.layer_norm_epsilon", f32(1e-5)],
  ["expert_count", u32(0)],
  ["expert_used_count", u32(0)],
  ["pooling_type", u32(0)],
  ["pooling_type", u32(1)],
  ["pooling_type", u32(3)],
  ["use_parallel_residual", boolean(false)],
  ["tensor_data_layout", string("Meta AI original pth")],
  ["tensor_data_layout", string("reference")],
  ["hidden_activation", string("silu")],
  ["rope.dimension_sections", i32s([0, 0, 0, 0])],
  ["rope.scaling.finetuned", boolean(true)],
  ["rope.scaling.yarn_ext_factor", f32(1)],
  ["vocab_size", u32(300)],
];

describe("a key under the architecture's name", () => {
  it.each(changing)("is refused where it changes the computation: %s", async (key, value) => {
    const opened = open("--arch llama", { keys: { [`llama.${key}`]: value } });
    await expect(opened).rejects.toThrow(UnsupportedError);
    await expect(opened).rejects.toThrow(`llama.${key}: `);
  });

  it.each(harmless)("is no hindrance where it changes nothing: %s", async (key, value) => {
    const model = await open("--arch llama", { keys: { [`llama.${key}`]: value } });
    expect(model.notices).toEqual([]);
  });

  it("may say that falcon's layout is falcon's, and its residual parallel", async () => {
    const keys = {
      "falcon.tensor_data_layout": string("jploski"),
      "falcon.use_parallel_residual": boolean(true),
      "other.logit_scale": f32(3),
      "general.anything": u32(3),
    };
    expect((await open("--arch falcon", { keys })).notices).toEqual([]);
  });

  it.each(["relu2", "silu"])("may say that bitnet has %s", async (kind) => {
    const keys = { "bitnet.hidden_activation": string(kind) };
    expect((await open("--arch bitnet", { keys })).activation).toEqual({ kind });
  });

  it("is shown with its value, six of many", async () => {
    const entries = Array.from({ length: 8 }, (_, index) => [`llama.new.${index}`, u32(index + 1)]);
    const list = /llama\.new\.0: u32 1, .*llama\.new\.5: u32 6 and 2 more\)/;
    await expect(open("--arch llama", { keys: Object.fromEntries(entries) })).rejects.toThrow(list);
  });
});

it.each([
  ["general.type", string("adapter"), /general\.type "adapter"/],
  ["general.type", string("mmproj"), /general\.type "mmproj"/],
  ["adapter.lora.alpha", f32(16), /a file of an adapter/],
])("a file that is no whole model is refused: %s %j", async (key, value, message) => {
  await expect(open("--arch llama", { keys: { [key]: value } })).rejects.toThrow(message);
});
