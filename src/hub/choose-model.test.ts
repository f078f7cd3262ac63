/** Which quantisation is taken on which machine, and the reasons. */
import { describe, expect, it } from "vitest";
import { chooseModel } from "./choose-model.ts";

const GiB = 2 ** 30;

/** Of 8 billion parameters, by bits per weight. */
function model(quant: string, bytes: number, path = `m-${quant}.gguf`) {
  return { quant, bytes, files: [{ path }] };
}
const of8B = [
  model("Q2_K", 3.1 * GiB),
  model("Q3_K_M", 3.8 * GiB),
  model("Q4_K_M", 4.7 * GiB),
  model("Q5_K_M", 5.4 * GiB),
  model("Q8_0", 8.1 * GiB),
  model("BF16", 15.3 * GiB),
];

function chosen(models: typeof of8B, memory: number, quant?: string): string {
  return chooseModel(models, { quant, memoryBytes: memory * GiB }).reason;
}

describe("the choice of a quantisation", () => {
  it("is Q4_K_M where it fits, and the next smaller one where it does not", () => {
    expect(chosen(of8B, 64)).toBe(
      "Q4_K_M: little is lost, and fewer bytes are read for each token; fits into this machine's 64.0 GiB of memory",
    );
    expect(chosen(of8B, 6)).toBe(
      "Q3_K_M: the best that fits into this machine's 6.0 GiB of memory; Q4_K_M takes 6.2 GiB",
    );
    expect(() => chosen(of8B, 4)).toThrow(
      /no quantisation fits .* 4\.0 GiB .*smallest, Q2_K, takes 4\.4 GiB; name it/,
    );
  });

  it("is eight bits for a small model, and more bits than four where there are no four", () => {
    const small = [model("Q4_K_M", 0.1 * GiB), model("Q8_0", 0.14 * GiB), model("F16", 0.25 * GiB)];
    expect(chosen(small, 8)).toMatch(/^Q8_0: a small model loses most by fewer bits/);
    expect(chosen([model("Q8_0", 8 * GiB), model("Q6_K", 6 * GiB)], 64)).toMatch(/^Q6_K:/);
    expect(chosen([model("whole", 8 * GiB)], 64)).toMatch(/^whole:/);
  });

  it("is what was named, by quantisation or file, whether it fits or not", () => {
    expect(chosen(of8B, 1, "bf16")).toBe("bf16: as you asked");
    const named = chooseModel(of8B, { quant: "m-Q5_K_M.gguf", memoryBytes: 1 });
    expect(named.model.quant).toBe("Q5_K_M");
    expect(() => chosen(of8B, 64, "Q9")).toThrow(/quant: "Q9".*one of Q2_K, Q3_K_M, Q4_K_M/);
  });

  it("is left to the user where several models have it", () => {
    const two = [
      model("Q4_K_M", GiB, "base-Q4_K_M.gguf"),
      model("Q4_K_M", GiB, "chat-Q4_K_M.gguf"),
    ];
    expect(() => chosen(two, 64)).toThrow(/base-Q4_K_M\.gguf, chat-Q4_K_M\.gguf/);
    expect(() => chosen(two, 64, "q4_k_m")).toThrow(/one file of several/);
    expect(chooseModel(two, { quant: "chat-q4_k_m", memoryBytes: 0 }).model).toBe(two[1]);
    expect(() => chosen([], 64)).toThrow(/without GGUF models/);
    expect(() => chosen([model("one", 1), model("two", 2)], 64)).toThrow(
      /several models.*one\.gguf/,
    );
  });
});
