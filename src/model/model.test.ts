/** Opening models: the facts read from a file, and the refusal of a wrong one. */
import { afterAll, describe, expect, it } from "vitest";
import { type Changes, floats, modelFolder, zeros } from "../../test/fixtures/changed-model.ts";
import { rowBytes } from "../core/dtype.ts";
import { UnsupportedError } from "../core/errors.ts";
import { openGguf } from "../gguf/open.ts";
import { metadataValue } from "../gguf/value.ts";
import type { TensorToWrite } from "../gguf/write.ts";
import { kvBytes } from "../ops/kv-shape.ts";
import { buildProgram } from "./build-program.ts";
import { cacheShape } from "./cache-shape.ts";
import { describeModel } from "./describe.ts";
import { type Model, openModel } from "./model.ts";
import { architectureNames } from "./registry.ts";
import { ropeTables } from "./rope-tables.ts";

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

const { u32, f32, string, i32s } = metadataValue;

/** A synthetic model with a few things changed. */
async function open(args: string, changes: Changes = {}): Promise<Model> {
  return openModel(openGguf(await folder.write(args, changes)));
}

describe("a model", () => {
  it("knows its shape, types and bytes", async () => {
    const model = await open("--arch llama --type q8_0");
    const description = describeModel(model);
    const scale = 1 / Math.sqrt(32);
    const heads = { heads: 4, kvHeads: 2, keyWidth: 32, valueWidth: 32, scale };
    expect(description.architecture).toBe("llama");
    expect(description.hyperparameters).toMatchObject({
      dim: 128,
      layers: 2,
      attention: [heads, heads],
      neurons: [256, 256],
      contextLength: 64,
      rope: { dims: 32, base: 10000, scaling: { kind: "none" } },
    });
    const row = rowBytes("Q8_0", 128);
    const [layer] = description.layers;
    expect(layer).toMatchObject({ attention: (128 + 64 + 64 + 128) * row, norms: 2 * 128 * 4 });
    expect(layer?.ffn).toBe(2 * 256 * row + 128 * rowBytes("Q8_0", 256));
    expect(layer?.perNeuron).toBe(3 * row);
    const inTensors = [...model.gguf.tensors.values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const parts = description.layers.map(({ attention, norms, ffn }) => attention + norms + ffn);
    const inParts = parts.reduce((sum, bytes) => sum + bytes, 0);
    expect(description.embedding + description.output + inParts).toBe(inTensors);
    expect(description.types.map(({ type }) => type)).toEqual(["Q8_0", "F32"]);
    const one = { contextLength: 1, sequences: 1, maxRows: 1, kvType: "f16" } as const;
    expect(kvBytes(cacheShape(model.hyperparameters, one))).toBe(2 * 2 * 64 * 2);
  });

  it("takes its activation from the file, from PowerInfer's magic, from the architecture", async () => {
    expect((await open("--arch llama")).activation).toEqual({ kind: "silu" });
    expect((await open("--arch llama --activation relu")).activation).toEqual({ kind: "relu" });
    const powerinfer = await open("--arch llama --powerinfer", {
      keys: { "hearth.activation": undefined },
    });
    expect(powerinfer.activation).toEqual({ kind: "relu" });
    const keys = {
      "hearth.activation": string("fatrelu"),
      "hearth.activation_threshold": f32(0.5),
    };
    const fatrelu = await open("--arch llama", { keys });
    expect(fatrelu.activation).toEqual({ kind: "fatrelu", threshold: 0.5 });
  });

  it("uses the embedding as output matrix when the file has no other", async () => {
    const model = await open("--arch qwen2", { tensors: { "output.weight": undefined } });
    expect(model.tied).toBe(true);
    expect(model.output).toBe(model.embedding);
  });

  it("may have another number of neurons in each layer", async () => {
    const model = await open("--arch llama", {
      keys: { "llama.feed_forward_length": i32s([256, 32]) },
      tensors: {
        "blk.1.ffn_gate.weight": zeros("blk.1.ffn_gate.weight", "F16", [128, 32]),
        "blk.1.ffn_up.weight": zeros("blk.1.ffn_up.weight", "F16", [128, 32]),
        "blk.1.ffn_down.weight": zeros("blk.1.ffn_down.weight", "F16", [32, 128]),
      },
    });
    expect(model.hyperparameters.neurons).toEqual([256, 32]);
  });

  it("applies Llama 3's frequency factors", async () => {
    const factors = Array.from({ length: 16 }, (_, pair) => 1 + pair);
    const changes = { tensors: { "rope_freqs.weight": floats("rope_freqs.weight", factors) } };
    const scaled = ropeTables(await open("--arch llama", changes), 64)(0)?.frequencies;
    const plain = ropeTables(await open("--arch llama"), 64)(0)?.frequencies;
    expect(scaled?.[3]).toBeCloseTo((plain?.[3] ?? 0) / 4, 7);
  });

  it("has longrope's factors for the context that it is opened with", async () => {
    const short = Array.from({ length: 16 }, () => 2);
    const long = Array.from({ length: 16 }, (_, pair) => 1 + pair);
    const tensors = {
      "rope_factors_short.weight": floats("rope_factors_short.weight", short),
      "rope_factors_long.weight": floats("rope_factors_long.weight", long),
    };
    const keys = {
      "llama.rope.scaling.type": string("longrope"),
      "llama.rope.scaling.original_context_length": u32(32),
    };
    const model = await open("--arch llama", { tensors, keys });
    const plain = ropeTables(await open("--arch llama"), 64)(0)?.frequencies[3] ?? 0;
    expect(ropeTables(model, 32)(0)?.frequencies[3]).toBeCloseTo(plain / 2, 7);
    const tableOf = ropeTables(model, 33);
    expect(tableOf(0)?.frequencies[3]).toBeCloseTo(plain / 4, 7);
    expect(tableOf(1)).toBe(tableOf(0));
  });

  it("has at most the positions that it has learned", async () => {
    const keys = { "opt.context_length": u32(2050) };
    expect((await open("--arch opt", { keys })).hyperparameters.contextLength).toBe(64);
  });

  it("has at most the context of its sliding window, and says so", async () => {
    const keys = { "llama.attention.sliding_window": u32(16) };
    const model = await open("--arch llama", { keys });
    expect(model.hyperparameters.contextLength).toBe(16);
    expect(model.notices.join()).toMatch(/at most the model's sliding window of 16 tokens/);
    const limits = {
      sequences: 1,
      maxRows: 1,
      maxOutputs: 1,
      kvType: "f32",
      output: "logits",
    } as const;
    expect(() => buildProgram(model, { ...limits, contextLength: 17 })).toThrow(/17.*at most 16/);
    expect(buildProgram(model, { ...limits, contextLength: 16 }).program.kv.contextLength).toBe(16);
  });

  it("of phi3 ignores a sliding window, and says so", async () => {
    const model = await open("--arch phi3 --window 16");
    expect(model.hyperparameters.contextLength).toBe(64);
    expect(model.notices.join()).toMatch(/sliding window of 16 tokens. It is ignored/);
  });

  it.each([0, 64, 4096])("has a window of %d that changes nothing", async (window) => {
    const keys = { "llama.attention.sliding_window": u32(window) };
    const { hyperparameters, notices } = await open("--arch llama", { keys });
    expect(hyperparameters.contextLength).toBe(64);
    expect(hyperparameters.slidingWindow).toBeUndefined();
    expect(notices).toEqual([]);
  });

  it("is given a context where its file states 0, and says so", async () => {
    const { hyperparameters, notices } = await open("--arch llama", {
      keys: { "llama.context_length": u32(0) },
    });
    expect(hyperparameters.contextLength).toBe(4096);
    expect(notices.join()).toMatch(/context_length is 0.*4096 tokens are assumed/);
  });
});

describe("a file that hearth cannot run", () => {
  it("is refused for its architecture, with a list of those there are", async () => {
    const keys = { "general.architecture": string("mamba") };
    const opened = open("--arch llama", { keys });
    await expect(opened).rejects.toThrow(UnsupportedError);
    await expect(opened).rejects.toThrow(
      `"mamba" is not supported; available: ${architectureNames.join(", ")}`,
    );
  });

  it("is refused for tensor types, all of them at once", async () => {
    const change = (name: string, type: string): TensorToWrite => zeros(name, type, [256, 300]);
    const opened = open("--arch llama --dim 256", {
      tensors: {
        "token_embd.weight": change("token_embd.weight", "Q1_0"),
        "output.weight": change("output.weight", "Q2_0"),
      },
    });
    await expect(opened).rejects.toThrow(/Q1_0 \(token_embd.weight\), Q2_0 \(output.weight\)/);
  });

  it.each(["Q1_0", "Q2_0", "Q8_K"])("is refused for %s, with the types there are", async (type) => {
    const name = "blk.0.attn_q.weight";
    const tensors = { [name]: zeros(name, type, [256, 128]) };
    const message = `tensor type ${type} (${name}) is not supported; available: F32, F16, BF16, Q8_0`;
    await expect(open("--arch llama", { tensors })).rejects.toThrow(message);
  });

  it.each([
    ["a missing tensor", "blk.1.attn_k.weight", undefined, /blk\.1\.attn_k\.weight: found nothing/],
    [
      "a wrong shape",
      "blk.0.ffn_up.weight",
      zeros("blk.0.ffn_up.weight", "F16", [128, 200]),
      /ffn_up\.weight: found \[128, 200\], expected \[128, 256\]/,
    ],
    [
      "a gate's bias of another length",
      "blk.0.ffn_gate.bias",
      zeros("blk.0.ffn_gate.bias", "F32", [128]),
      /ffn_gate\.bias: found \[128\], expected \[256\]/,
    ],
    [
      "factors that are no numbers",
      "rope_freqs.weight",
      floats("rope_freqs.weight", new Array<number>(16).fill(Number.NaN)),
      /rope_freqs\.weight: found NaN/,
    ],
  ])("is refused for %s", async (_, name, change, message) => {
    const tensors: Record<string, TensorToWrite | undefined> = { [name]: change };
    await expect(open("--arch llama", { tensors })).rejects.toThrow(message);
  });

  it.each([
    ["llama.block_count", u32(0), /block_count.*found 0, expected an integer from 1 to 1024/],
    ["llama.embedding_length", f32(12.5), /embedding_length.*12\.5/],
    ["llama.attention.head_count_kv", u32(3), /head_count_kv.*found 3.*divisor of the 4 heads/],
    ["llama.attention.head_count_kv", i32s([2, 4]), /blk\.1\.attn_k\.weight.*\[128, 128\]/],
    ["llama.feed_forward_length", i32s([256]), /1 value,.*each of the 2 layers/],
    ["llama.rope.dimension_count", u32(33), /dimension_count.*found 33.*even number up to/],
    ["llama.rope.freq_base", f32(Number.NaN), /freq_base.*NaN/],
    ["llama.rope.scaling.type", string("dynamic"), /"dynamic".*none, linear, yarn, longrope/],
    ["llama.attention.value_length", u32(64), /attn_output\.weight.*\[256, 128\]/],
    ["llama.attention.layer_norm_rms_epsilon", f32(2), /rms_epsilon.*found 2/],
    ["powerinfer.sparse_threshold", f32(Number.NaN), /sparse_threshold: found NaN/],
    ["powerinfer.sparse_threshold", f32(Infinity), /sparse_threshold: found Infinity/],
    ["llama.expert_count", u32(8), /expert_used_count/],
    ["hearth.activation", string("tanh"), /"tanh" \(hearth\.activation\)/],
    ["tokenizer.ggml.tokens", metadataValue.strings(new Array(301).fill("a")), /301 tokens/],
  ])("is refused for a wrong %s", async (key, value, message) => {
    await expect(open("--arch llama", { keys: { [key]: value } })).rejects.toThrow(message);
  });

  it("is refused for a FATReLU threshold that is no number", async () => {
    const keys = {
      "hearth.activation": string("fatrelu"),
      "hearth.activation_threshold": f32(Number.NaN),
    };
    await expect(open("--arch llama", { keys })).rejects.toThrow(/activation_threshold: found NaN/);
  });

  it("is refused when it promises predictors and has none", async () => {
    const tensors = { "blk.1.fc1.weight": undefined };
    const opened = open("--arch llama --powerinfer", { tensors });
    await expect(opened).rejects.toThrow(/blk\.1\.fc1\.weight: found nothing/);
  });
});
