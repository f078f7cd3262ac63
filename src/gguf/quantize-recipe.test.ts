import { describe, expect, it } from "vitest";
import { chooseType, type ModelShape, type QuantisedType } from "./quantize-recipe.ts";

const plain: ModelShape = {
  architecture: "llama",
  layerCount: 10,
  hasOutput: true,
  expertCount: 1,
  headsPerGroup: 4,
  hasImportance: false,
};

function typeOf(name: string, type: QuantisedType, model: ModelShape, isPure = false): string {
  const tensor = { name, type: "F32", dimensions: [256, 512], path: "", offset: 0, bytes: 0 };
  return chooseType(tensor, { type, isPure }, model).type;
}

function typesOf(part: string, model: ModelShape): string {
  const types = Array.from({ length: model.layerCount }, (_, layer) =>
    typeOf(`blk.${layer}.${part}.weight`, "Q4_K_M", model),
  );
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
    expect(typesOf(part, { ...plain, architecture, layerCount })).toBe(expected);
  });
});

/** What `llama-quantize --dry-run` of 0.7.0 gives a llama of 16 layers whose query heads share keys and values by four. */
describe("mixtures have the types of llama-quantize", () => {
  const parts = ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"];
  const names = [
    "output.weight",
    "token_embd.weight",
    ...Array.from({ length: 16 }, (_, layer) =>
      parts.map((part) => `blk.${layer}.${part}.weight`),
    ).flat(),
  ];
  const countsOf = (type: QuantisedType, model: ModelShape): string => {
    const counts = new Map<string, number>();
    for (const name of names) {
      const found = typeOf(name, type, model);
      counts.set(found, (counts.get(found) ?? 0) + 1);
    }
    return [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([found, count]) => `${count} ${found}`)
      .join(", ");
  };
  it.each<[QuantisedType, boolean, string]>([
    ["Q8_0", false, "114 Q8_0"],
    ["Q6_K", false, "114 Q6_K"],
    ["Q5_K_M", false, "97 Q5_K, 17 Q6_K"],
    ["Q5_K_S", false, "113 Q5_K, 1 Q6_K"],
    ["Q5_K", false, "97 Q5_K, 17 Q6_K"],
    ["Q4_K_M", false, "97 Q4_K, 17 Q6_K"],
    ["Q4_K_S", false, "107 Q4_K, 6 Q5_K, 1 Q6_K"],
    ["Q3_K_L", false, "65 Q3_K, 48 Q5_K, 1 Q6_K"],
    ["Q3_K_M", false, "65 Q3_K, 45 Q4_K, 3 Q5_K, 1 Q6_K"],
    ["Q3_K_S", false, "113 Q3_K, 1 Q6_K"],
    ["Q2_K", false, "65 Q2_K, 32 Q3_K, 16 Q4_K, 1 Q6_K"],
    ["Q2_K_S", false, "95 Q2_K, 18 Q4_K, 1 Q6_K"],
    ["IQ4_NL", false, "95 IQ4_NL, 18 Q5_K, 1 Q6_K"],
    ["IQ4_XS", false, "95 IQ4_XS, 18 Q5_K, 1 Q6_K"],
    ["IQ4_XS", true, "97 IQ4_XS, 16 Q5_K, 1 Q6_K"],
    ["IQ3_M", false, "79 IQ3_S, 34 Q4_K, 1 Q6_K"],
    ["IQ3_S", false, "97 IQ3_S, 16 Q4_K, 1 Q6_K"],
    ["IQ3_XS", false, "41 IQ3_S, 56 IQ3_XXS, 16 Q4_K, 1 Q6_K"],
    ["IQ3_XXS", false, "32 IQ2_S, 17 IQ3_S, 32 IQ3_XXS, 14 Q3_K, 18 Q4_K, 1 Q5_K"],
    ["IQ3_XXS", true, "32 IQ2_S, 17 IQ3_S, 48 IQ3_XXS, 16 Q4_K, 1 Q5_K"],
    ["IQ2_M", false, "78 IQ2_S, 19 IQ3_S, 16 Q4_K, 1 Q5_K"],
    ["IQ2_S", false, "78 IQ2_XS, 19 IQ3_S, 16 Q4_K, 1 Q5_K"],
    ["IQ2_XS", false, "94 IQ2_XS, 3 Q2_K, 16 Q4_K, 1 Q5_K"],
    ["IQ2_XXS", false, "94 IQ2_XXS, 3 Q2_K, 16 Q4_K, 1 Q5_K"],
    ["IQ1_M", false, "78 IQ1_M, 16 IQ2_XXS, 3 Q2_K, 16 Q4_K, 1 Q5_K"],
    ["IQ1_S", false, "78 IQ1_S, 16 IQ2_XXS, 3 Q2_K, 16 Q4_K, 1 Q5_K"],
    ["TQ2_0", false, "1 Q4_K, 1 Q6_K, 112 TQ2_0"],
  ])("%s, an importance known: %s", (type, hasImportance, expected) => {
    expect(countsOf(type, { ...plain, layerCount: 16, hasImportance })).toBe(expected);
  });

  it("and one type alone where that is asked for", () => {
    const types = names.map((name) => typeOf(name, "Q3_K_M", { ...plain, layerCount: 16 }, true));
    expect(new Set(types)).toEqual(new Set(["Q3_K"]));
  });
});
