import { describe, expect, it } from "vitest";
import { chooseType, type ModelShape } from "./quantize-recipe.ts";

function typesOf(part: string, model: ModelShape): string {
  const types = Array.from({ length: model.layerCount }, (_, layer) => {
    const tensor = { name: `blk.${layer}.${part}.weight`, type: "F32", dimensions: [256, 512] };
    return chooseType({ ...tensor, path: "", offset: 0, bytes: 0 }, "Q4_K_M", model).type;
  });
  return types.map((type) => type.slice(1, 2)).join("");
}

/** What llama-quantize 0.7.0 gives the layers of a model of 10 and one of 32: the digits of Q4_K, Q5_K and Q6_K. */
describe("Q4_K_M gives the types of llama-quantize", () => {
  it.each([
    ["falcon", 10, "attn_qkv", "6446446466"],
    ["falcon", 10, "attn_output", "4444444444"],
    ["falcon", 10, "ffn_up", "4444444444"],
    ["falcon", 10, "ffn_down", "5445445455"],
    ["falcon", 32, "attn_qkv", "66664464464464464464464464466666"],
    ["falcon", 32, "ffn_down", "66554454454454454454454454455555"],
    ["llama", 10, "attn_v", "6446446466"],
    ["llama", 10, "attn_q", "4444444444"],
    ["llama", 10, "ffn_down", "6446446466"],
  ])("%s of %d layers: %s", (architecture, layerCount, part, expected) => {
    expect(typesOf(part, { architecture, layerCount, hasOutput: true })).toBe(expected);
  });
});
