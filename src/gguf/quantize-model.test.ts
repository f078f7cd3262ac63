import { existsSync, linkSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isWeightType, tensorType, type WeightType } from "../core/dtype.ts";
import { createRandom } from "../core/random.ts";
import { readTensorBytes } from "../io/tensor-bytes.ts";
import { quantCodec } from "../quant/codecs.ts";
import { convertPlainly } from "../quant/convert-blocks.ts";
import { type GgufFile, openGguf } from "./open.ts";
import { quantiseModel } from "./quantize-model.ts";
import type { QuantisedType } from "./quantize-recipe.ts";
import type { TensorInfo } from "./tensor-info.ts";
import { metadataValue } from "./value.ts";
import { type TensorToWrite, writeGguf } from "./write.ts";

/** In plain TypeScript: the addon's own are in backends/cpu. */
function quantizeModel(
  request: { input: string; output: string; type: QuantisedType } & Pick<
    Parameters<typeof quantiseModel>[0],
    "onProgress" | "signal" | "importance"
  >,
): ReturnType<typeof quantiseModel> {
  return quantiseModel({ ...request, isPure: false, convert: convertPlainly });
}

const folder = mkdtempSync(join(tmpdir(), "hearth-quantize-"));
afterAll(() => rmSync(folder, { recursive: true }));

function weights(name: string, type: WeightType, dimensions: readonly number[]): TensorToWrite {
  const random = createRandom(name.length);
  const elements = dimensions.reduce((product, length) => product * length, 1);
  const values = Float32Array.from({ length: elements }, () => random.normal());
  const { blockElements, blockBytes } = tensorType(type);
  const bytes = new Uint8Array((elements / blockElements) * blockBytes);
  quantCodec(type).quantise(values, 0, bytes, 0, elements / blockElements);
  return { name, type, dimensions, data: () => [bytes] };
}

/** Eight layers of 256 columns; FFN rows of 172, which is no multiple of 32. */
async function makeModel(name: string, magic: "GGUF" | "PWRI" = "GGUF"): Promise<string> {
  const path = join(folder, name);
  const layers = Array.from({ length: 8 }, (_, layer) => [
    weights(`blk.${layer}.attn_norm.weight`, "F32", [256]),
    weights(`blk.${layer}.attn_v.weight`, "F32", [256, 64]),
    weights(`blk.${layer}.ffn_up.weight`, "F32", [256, 96]),
    weights(`blk.${layer}.ffn_down.weight`, "F32", [172, 256]),
    weights(`blk.${layer}.ffn_down_t.weight`, "F16", [256, 96]),
  ]);
  const tensors = [weights("token_embd.weight", "F32", [256, 40]), ...layers.flat()];
  const metadata = [
    ["general.architecture", metadataValue.string("llama")],
    ["general.file_type", metadataValue.u32(0)],
    ["tokenizer.ggml.tokens", metadataValue.strings(["<s>", "a"])],
    ["split.count", { kind: "number", type: "u16", value: 0 }],
  ] as const;
  await writeGguf({ path, metadata, tensors, magic });
  return path;
}

function typeIn(model: GgufFile, name: string): string | undefined {
  return model.tensors.get(name)?.type;
}

function valuesOf(info: TensorInfo | undefined): Float32Array {
  if (info === undefined || !isWeightType(info.type)) throw new Error("no such weights");
  const codec = quantCodec(info.type);
  const blocks = info.bytes / codec.blockBytes;
  const values = new Float32Array(blocks * codec.blockElements);
  codec.dequantise(readTensorBytes(info), 0, values, 0, blocks);
  return values;
}

describe("quantiseModel", () => {
  it("converts matrices, keeps norms and metadata, and says what kept a wider type", async () => {
    const input = await makeModel("f32.gguf", "PWRI");
    const output = join(folder, "q8.gguf");
    const progress: number[] = [];
    const result = await quantizeModel({
      input,
      output,
      type: "Q8_0",
      onProgress: ({ bytesDone, bytesTotal }) => progress.push(bytesDone / bytesTotal),
    });
    const model = openGguf(output);
    expect(model.magic).toBe("PWRI");
    expect(model.metadata.number("general.file_type")).toBe(7);
    expect(model.metadata.number("general.quantization_version")).toBe(2);
    expect(model.metadata.strings("tokenizer.ggml.tokens")).toEqual(["<s>", "a"]);
    expect(model.metadata.has("split.count")).toBe(false);
    expect(typeIn(model, "blk.0.attn_norm.weight")).toBe("F32");
    expect(typeIn(model, "blk.0.ffn_up.weight")).toBe("Q8_0");
    expect(typeIn(model, "blk.0.ffn_down.weight")).toBe("F16");
    const down = result.tensors.find((tensor) => tensor.name === "blk.0.ffn_down.weight");
    expect(down).toMatchObject({ from: "F32", to: "F16", reason: expect.stringContaining("172") });
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual(progress.toSorted((left, right) => left - right));
    const sizes = [...model.tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
    expect(result.bytesAfter).toBe(sizes);
    expect(result.bytesBefore).toBeGreaterThan(2 * sizes);
  });

  it("keeps each value within half a step of Q8_0", async () => {
    const input = await makeModel("values.gguf");
    const output = join(folder, "values-q8.gguf");
    await quantizeModel({ input, output, type: "Q8_0" });
    const name = "blk.3.ffn_up.weight";
    const before = valuesOf(openGguf(input).tensors.get(name));
    const after = valuesOf(openGguf(output).tensors.get(name));
    const largest = before.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // Half a step of the widest block, and 127 codes times the f16 rounding of d (2^-11).
    const bound = (largest / 127) * (0.5 + 127 * 2 ** -11);
    expect(after.every((value, index) => Math.abs(value - (before[index] ?? 0)) <= bound)).toBe(
      true,
    );
  });

  it("mixes Q4_K and Q6_K as llama.cpp's Q4_K_M does", async () => {
    const output = join(folder, "mix.gguf");
    await quantizeModel({ input: await makeModel("mix-in.gguf"), output, type: "Q4_K_M" });
    const model = openGguf(output);
    // Tied: the embedding is the output matrix.
    expect(typeIn(model, "token_embd.weight")).toBe("Q6_K");
    const valueTypes = Array.from({ length: 8 }, (_, layer) =>
      typeIn(model, `blk.${layer}.attn_v.weight`),
    );
    // Eight layers: an eighth is one, so 0 and 7, and every third from 1 on: 3 and 6.
    const expected = ["Q6_K", "Q4_K", "Q4_K", "Q6_K", "Q4_K", "Q4_K", "Q6_K", "Q6_K"];
    expect(valueTypes).toEqual(expected);
    expect(typeIn(model, "blk.3.ffn_down_t.weight")).toBe("Q6_K");
    expect(typeIn(model, "blk.3.ffn_up.weight")).toBe("Q4_K");
    expect(typeIn(model, "blk.3.ffn_down.weight")).toBe("F16");
  });

  it("gives the same weights back in F32, and notes what was quantised before", async () => {
    const input = await makeModel("again.gguf");
    const [small, large] = [join(folder, "again-q4.gguf"), join(folder, "again-f32.gguf")];
    await quantizeModel({ input, output: small, type: "Q4_0" });
    const result = await quantizeModel({ input: small, output: large, type: "F32" });
    const name = "blk.1.ffn_up.weight";
    expect(result.tensors.find((tensor) => tensor.name === name)).toMatchObject({
      from: "Q4_0",
      to: "F32",
      reason: expect.stringContaining("was Q4_0"),
    });
    expect(valuesOf(openGguf(large).tensors.get(name))).toEqual(
      valuesOf(openGguf(small).tensors.get(name)),
    );
  });

  it("refuses to write over its input, by whatever name", async () => {
    const input = await makeModel("same.gguf");
    const link = join(folder, "link.gguf");
    symlinkSync(input, link);
    const hard = join(folder, "hard.gguf");
    linkSync(input, hard);
    const dangling = join(folder, "link-to-hard.gguf");
    symlinkSync("hard.gguf", dangling);
    for (const output of [input, link, hard, dangling]) {
      await expect(quantizeModel({ input, output, type: "F16" })).rejects.toThrow(/another file/);
    }
  });

  it("refuses an output that cannot be written before any work is done", async () => {
    const input = await makeModel("in.gguf");
    const missing = join(folder, "no-such-folder", "out.gguf");
    await expect(quantizeModel({ input, output: missing, type: "F16" })).rejects.toThrow(
      /out\.gguf: cannot be written: the folder .*no-such-folder does not exist/,
    );
    await expect(quantizeModel({ input, output: folder, type: "F16" })).rejects.toThrow(
      /is a folder, not a file that can be replaced/,
    );
  });

  it("names a tensor it cannot convert, or whose values it cannot keep, and writes nothing", async () => {
    const input = join(folder, "odd.gguf");
    const output = join(folder, "never.gguf");
    const unknown = { name: "odd.weight", type: "Q1_0", dimensions: [128, 2] };
    const broken = { name: "nan.weight", type: "F32", dimensions: [32, 2] };
    const nan = Float32Array.from({ length: 64 }, () => Number.NaN);
    const cases = [
      {
        tensor: { ...unknown, data: () => [new Uint8Array(36)] },
        message: /odd.weight of type Q1_0/,
      },
      {
        tensor: { ...broken, data: () => [new Uint8Array(nan.buffer)] },
        message: /nan.weight.*NaN/,
      },
    ];
    for (const { tensor, message } of cases) {
      await writeGguf({ path: input, metadata: [], tensors: [tensor] });
      await expect(quantizeModel({ input, output, type: "Q8_0" })).rejects.toThrow(message);
      expect(existsSync(output)).toBe(false);
    }
    expect(readdirSync(folder).filter((name) => name.includes("partial"))).toEqual([]);
  });
});
