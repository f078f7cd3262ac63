/** Models with experts: what their programs are made of, and hostile or foreign files of them. */
import { afterAll, describe, expect, it } from "vitest";
import { type Changes, floats, modelFolder, tensorsOf } from "../../test/fixtures/changed-model.ts";
import { lastLogits } from "../../test/fixtures/last-logits.ts";
import { openGguf } from "../gguf/open.ts";
import { type MetadataValue, metadataValue } from "../gguf/value.ts";
import type { TensorToWrite } from "../gguf/write.ts";
import type { Op } from "../ops/op.ts";
import { buildProgram, type ProgramOptions } from "./build-program.ts";
import { describeModel } from "./describe.ts";
import { type Model, openModel } from "./model.ts";
import { architectureNames, architectureOf } from "./registry.ts";

const folder = modelFolder();
afterAll(() => folder[Symbol.dispose]());

const { u32, u64, f32 } = metadataValue;

const mixtures = architectureNames.filter((name) => architectureOf(name).mixture !== undefined);
const options: ProgramOptions = {
  contextLength: 64,
  sequences: 1,
  maxRows: 8,
  maxOutputs: 1,
  kvType: "f32",
  output: "logits",
};

async function open(args: string, changes: Changes = {}): Promise<Model> {
  return openModel(openGguf(await folder.write(`--type f32 ${args}`, changes)));
}

/** The small models of gemma4 have what the one with experts has not. */
const gemma4 = "--experts 8 --shared-kv-layers off --per-layer-embedding off";

function argsOf(arch: string): string {
  if (arch === "gemma4") return `--arch gemma4 ${gemma4} --expert-ffn 64 --layers 3`;
  return `--arch ${arch === "llama" ? "mixtral" : arch} --expert-ffn 64 --layers 3`;
}

describe("a model with experts", () => {
  it.each(mixtures)(
    "of %s has a router and experts in each layer but the dense ones",
    async (arch) => {
      const model = await open(argsOf(arch));
      const { program } = buildProgram(model, options);
      expect(new Set(program.slots.map((slot) => slot.name)).size).toBe(program.slots.length);
      const ops = program.segments.flatMap((segment) => segment.ops);
      const count = (kind: Op["kind"]): number => ops.filter((op) => op.kind === kind).length;
      const { mixture } = model.hyperparameters;
      const layers = 3 - (mixture?.denseLayers ?? 0);
      const shared = architectureOf(arch).mixture?.shared;
      const gated = shared === "gated" ? layers : 0;
      const isBeside = arch === "gemma4" || (shared === "plain" && mixture?.sharedNeurons !== 0);
      const plain = isBeside ? layers : 0;
      expect([count("route"), count("experts")]).toEqual([layers + gated, layers + gated]);
      expect(count("ffn")).toBe(3 - layers + plain);
    },
  );

  it.each(mixtures)(
    "of %s gives the same logits when its last layer has output rows only",
    async (arch) => {
      const model = await open(argsOf(arch));
      const few = await lastLogits(model, { ...options, lastLayer: "output rows" });
      expect(few).toEqual(await lastLogits(model, options));
      expect(few.every(Number.isFinite)).toBe(true);
    },
  );

  it("of before April 2024, with a tensor for each matrix of each expert, gives the logits of stacks", async () => {
    const args = argsOf("llama");
    const stacks = tensorsOf(`--type f32 ${args}`).filter(({ name }) =>
      /_exps\.weight$/.test(name),
    );
    const none = stacks.map(({ name }) => [name, undefined] as const);
    const single = (await Promise.all(stacks.map(singleExperts)))
      .flat()
      .map((tensor) => [tensor.name, tensor] as const);
    const tensors = Object.fromEntries([...none, ...single]);
    const model = await open(args, { tensors });
    expect(await lastLogits(model)).toEqual(await lastLogits(await open(args)));

    const name = "blk.1.ffn_down.3.weight";
    const { [name]: last, ...without } = tensors;
    await expect(open(args, { tensors: without })).rejects.toThrow(`${name}: found nothing`);
    const other = { ...last!, type: "F16", data: () => [new Uint8Array(2 * 128 * 64)] };
    const unlike = open(args, { tensors: { ...tensors, [name]: other } });
    await expect(unlike).rejects.toThrow(`${name}: found F16, expected F32, as blk.1.ffn_down.0`);
  });

  it("says what a token reads beside what there is", async () => {
    const model = await open(argsOf("qwen3moe"));
    for (const { ffn, ffnPerToken } of describeModel(model).layers) {
      const router = 4 * 8 * 128;
      expect(ffnPerToken - router).toBe((ffn - router) / 4);
    }
  });
});

/** ffn_up_exps.weight as ffn_up.0.weight, ffn_up.1.weight, … */
async function singleExperts({
  name,
  type,
  dimensions,
  data,
}: TensorToWrite): Promise<readonly TensorToWrite[]> {
  // A piece is valid until the next one is made.
  const pieces: Uint8Array[] = [];
  for await (const piece of data()) pieces.push(piece.slice());
  const all = Buffer.concat(pieces);
  const [columns = 1, rows = 1, count = 1] = dimensions;
  const bytes = all.length / count;
  return Array.from({ length: count }, (_, expert) => ({
    name: name.replace("_exps.", `.${expert}.`),
    type,
    dimensions: [columns, rows],
    data: () => [all.subarray(expert * bytes, (expert + 1) * bytes)],
  }));
}

const router = "blk.1.ffn_gate_inp.weight";

describe("a file with experts is refused for", () => {
  it.each<readonly [string, MetadataValue, RegExp]>([
    ["expert_count", u32(0), /expert_count.*found 0, expected an integer from 1 to 4096/],
    ["expert_count", f32(2 ** 32), /expert_count.*4294967296/],
    ["expert_count", u32(4), /ffn_gate_inp\.weight.*\[128, 8\]/],
    ["expert_used_count", u32(9), /expert_used_count.*found 9, expected an integer from 1 to 8/],
    ["expert_used_count", u32(0), /expert_used_count.*found 0/],
    ["expert_group_count", u32(3), /expert_group_count.*found 3/],
    ["expert_feed_forward_length", u32(96), /blk\.0\.ffn_gate_exps\.weight.*\[128, 64, 8\]/],
    ["expert_gating_func", u32(4), /function 4/],
    ["leading_dense_block_count", u32(9), /leading_dense_block_count.*found 9/],
    ["expert_weights_scale", f32(Number.NaN), /expert_weights_scale.*found NaN/],
    ["expert_group_used_count", u32(2), /expert_group_used_count.*found 2, expected .* 0 to 1/],
  ])("a wrong %s", async (key, value, message) => {
    const own = ["expert_gating_func", "leading_dense_block_count", "expert_weights_scale"];
    const arch = own.includes(key) ? "glm4moe" : "qwen3moe";
    const groups =
      key === "expert_group_count" ? { [`${arch}.expert_group_used_count`]: u32(1) } : {};
    const keys = { [`${arch}.${key}`]: value, ...groups };
    await expect(open(argsOf(arch), { keys })).rejects.toThrow(message);
  });

  it.each<readonly [string, string, TensorToWrite | undefined, RegExp]>([
    ["no router", router, undefined, /blk\.1\.ffn_gate_inp\.weight: found nothing/],
    ["a router of another shape", router, floats(router, zeros(64 * 8), [64, 8]), /\[64, 8\]/],
    [
      "fewer experts in a tensor",
      "blk.1.ffn_up_exps.weight",
      floats("blk.1.ffn_up_exps.weight", zeros(128 * 64 * 7), [128, 64, 7]),
      /ffn_up_exps\.weight.*\[128, 64, 7\], expected.*\[128, 64, 8\]/,
    ],
    [
      "tensors of some single experts",
      "blk.0.ffn_up.0.weight",
      floats("blk.0.ffn_up.0.weight", zeros(128 * 64), [128, 64]),
      /blk\.0\.ffn_gate\.0\.weight: found nothing, expected a tensor of \[128, 64\]/,
    ],
  ])("%s", async (_, name, tensor, message) => {
    const changed = open(argsOf("qwen3moe"), { tensors: { [name]: tensor } });
    await expect(changed).rejects.toThrow(message);
  });

  it.each([
    ["gpt-oss", "ffn_gate_inp.bias", "[8]"],
    ["gpt-oss", "ffn_up_exps.bias", "[64, 8]"],
    ["glm4moe", "exp_probs_b.bias", "[8]"],
    ["qwen2moe", "ffn_up_shexp.weight", "[128, 128]"],
    ["qwen35moe", "ffn_gate_inp_shexp.weight", "[128]"],
  ])("%s without %s", async (arch, name, shape) => {
    const tensors = { [`blk.1.${name}`]: undefined };
    const message = `blk.1.${name}: found nothing, expected a tensor of ${shape}`;
    await expect(open(argsOf(arch), { tensors })).rejects.toThrow(message);
  });

  it("experts that tokens use where there are none", async () => {
    const opened = open(argsOf("llama"), { keys: { "llama.expert_count": u32(0) } });
    await expect(opened).rejects.toThrow(/llama\.expert_used_count.*found 2, expected 0 where/);
  });

  it("experts where the architecture has none", async () => {
    const opened = open("--arch qwen2", { keys: { "qwen2.expert_count": u32(8) } });
    await expect(opened).rejects.toThrow(/a mixture of 8 experts \(qwen2\.expert_count\)/);
  });
});

/** The first layer that has a router. */
function routerOf(model: Model): string {
  return `blk.${model.hyperparameters.mixture?.denseLayers ?? 0}.ffn_gate_inp.weight`;
}

describe.each(mixtures)("a file of %s with experts is refused in one line for", (arch) => {
  const key = (name: string): string => `${arch}.${name}`;
  const args = `${argsOf(arch)} --vocab 300`;

  it.each<readonly [string, MetadataValue, RegExp]>([
    // Where a file may have no experts: those that tokens use, and tensors of experts.
    ["expert_count", u32(0), /expert_count|expert_used_count.*expected 0 where/],
    ["expert_count", u64(2n ** 32n), /expert_count.*found 4294967296/],
    ["expert_used_count", u32(9), /expert_used_count.*found 9, expected an integer from 1 to 8/],
  ])("a wrong %s", async (name, value, message) => {
    const opened = open(args, { keys: { [key(name)]: value } });
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toThrow(/^[^\n]+$/);
  });

  it("a router of another shape, and one with a NaN", async () => {
    const name = routerOf(await open(args));
    const narrow = open(args, { tensors: { [name]: floats(name, zeros(64 * 8), [64, 8]) } });
    await expect(narrow).rejects.toThrow(/ffn_gate_inp\.weight: found \[64, 8\], expected/);
    const fewer = open(args, { tensors: { [name]: floats(name, zeros(128 * 7), [128, 7]) } });
    await expect(fewer).rejects.toThrow(/ffn_gate_inp\.weight: found \[128, 7\], expected/);
    const values = zeros(128 * 8).fill(Number.NaN, 1023);
    const notFinite = open(args, { tensors: { [name]: floats(name, values, [128, 8]) } });
    await expect(notFinite).rejects.toThrow(`${name}: found NaN at value 1023`);
  });
});

describe("a router that is no number", () => {
  it.each<readonly [string, number]>([
    ["a NaN", Number.NaN],
    ["an infinity", Number.NEGATIVE_INFINITY],
  ])("is refused for %s in its weights", async (_, value) => {
    const values = zeros(128 * 8).fill(value, 100, 101);
    const tensors = { [router]: floats(router, values, [128, 8]) };
    await expect(open(argsOf("qwen3moe"), { tensors })).rejects.toThrow(
      `${router}: found ${value} at value 100, expected finite numbers in a router`,
    );
  });

  it("is refused for its bias", async () => {
    const name = "blk.1.ffn_gate_inp.bias";
    const tensors = { [name]: floats(name, zeros(8).fill(Number.NaN, 7)) };
    await expect(open(argsOf("gpt-oss"), { tensors })).rejects.toThrow(
      /bias: found NaN at value 7/,
    );
  });

  it("makes logits that are not finite where its input is none, which end an answer", async () => {
    const norm = "blk.1.ffn_norm.weight";
    const tensors = { [norm]: floats(norm, zeros(128).fill(Number.NaN, 100, 101)) };
    const model = await open(argsOf("qwen3moe"), { tensors });
    expect((await lastLogits(model, options)).every(Number.isNaN)).toBe(true);
  });
});

function zeros(length: number): number[] {
  return new Array<number>(length).fill(0);
}
