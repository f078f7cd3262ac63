/** Which quantisation a pull takes by memory and speed, and what it says of it. */
import { describe, expect, it } from "vitest";
import { DeviceError } from "../../core/errors.ts";
import type { HubModel } from "../../hub/hub-file.ts";
import { chooseQuant } from "./choose-quant.ts";
import type { PredictedModel, Predictor } from "./predict-repository.ts";

const GiB = 2 ** 30;

/** Of 8 billion parameters. */
const sizes = { Q2_K: 3.1, Q4_K_M: 4.7, Q5_K_M: 5.4, Q6_K: 6.3, Q8_0: 8.1, BF16: 15.3 };
const of8B: readonly HubModel[] = Object.entries(sizes).map(([quant, gibibytes]) => ({
  quant,
  bytes: gibibytes * GiB,
  files: [],
}));

/** A machine that reads so many GiB a second; the cache takes half a GiB, whatever the weights. */
function machine(gibibytesPerSecond: number, cache = 0.5 * GiB) {
  const asked: string[] = [];
  const predict: Predictor = async ({ quant, bytes }): Promise<PredictedModel> => {
    asked.push(quant);
    const way = {
      device: "cpu",
      sparsity: "dense",
      decodeTokensPerSecond: (gibibytesPerSecond * GiB) / bytes,
      promptTokensPerSecond: undefined,
      bytesPerToken: bytes,
    } as const;
    const memory = { neededBytes: bytes + cache, availableBytes: undefined };
    const prediction = { machine: "made", memory, ways: [way], reason: "made" };
    return { prediction, reason: undefined, bytesRead: 0 };
  };
  return { predict, asked };
}

async function chosen(predict: Predictor, memory: number, quant?: string): Promise<string> {
  const options = { quant, memoryBytes: memory * GiB };
  return (await chooseQuant(of8B, options, predict)).reason;
}

describe("the quantisation that a pull takes", () => {
  it("has the most bits that are fast enough, and no more than eight", async () => {
    expect(await chosen(machine(400).predict, 64)).toBe(
      "Q8_0: 49 tokens/s here, on cpu; needs 9.6 GiB of 64.0 GiB",
    );
    const { predict, asked } = machine(65);
    expect(await chosen(predict, 64)).toBe(
      "Q6_K: 10 tokens/s here, on cpu; needs 7.8 GiB of 64.0 GiB; Q8_0 would write 8",
    );
    expect(asked).toEqual(["Q8_0", "Q6_K"]);
  });

  it("has four bits on a slow machine, however slow", async () => {
    expect(await chosen(machine(10).predict, 64)).toBe(
      "Q4_K_M: 2.1 tokens/s here, on cpu; needs 6.2 GiB of 64.0 GiB; Q5_K_M would write 1.9",
    );
  });

  it("has fewer where its header asks for more memory than its size does", async () => {
    expect(await chosen(machine(400, 6 * GiB).predict, 11)).toBe(
      "Q2_K: 130 tokens/s here, on cpu; needs 10.1 GiB of 11.0 GiB; Q4_K_M would need 11.7 GiB",
    );
  });

  it("is judged by size where one is named, where it does not run, and without an addon", async () => {
    const { predict, asked } = machine(400);
    expect(await chosen(predict, 64, "bf16")).toBe("bf16: as you asked");
    expect(asked).toEqual([]);
    const refused = async () => ({ prediction: undefined, reason: "no such op", bytesRead: 0 });
    expect(await chosen(refused, 64)).toBe("Q4_K_M: hearth does not run it: no such op");
    const noAddon = async () => {
      throw new DeviceError("no addon");
    };
    expect(await chosen(noAddon, 64)).toMatch(
      /^Q4_K_M: little is lost.*; how fast it runs is unknown: no addon$/,
    );
  });
});
