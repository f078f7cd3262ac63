import { describe, expect, it } from "vitest";
import { describeModel, powerLawActivity, shape7b } from "../../test/fixtures/placement-models.ts";
import { OptionError } from "../core/errors.ts";
import { createRandom } from "../core/random.ts";
import { GiB } from "../core/units.ts";
import { describedCards } from "./described-cards.ts";
import type { PlaceableModel } from "./placeable-model.ts";
import { type PlacementProblem, placementProblem } from "./problem.ts";
import { unitsByActivity } from "./unit-order.ts";

const card = describedCards.get("rtx-4090")!;
const gpuSpeed = card.gpu!.readBytesPerSecond.default!;
const cpuSpeed = card.cpu.readBytesPerSecond.default!;

const neurons = (unitCount: number) => ({ unit: "neuron", unitCount }) as const;

/** One layer of 130 neurons: three groups, the last of two. */
function tinyModel(read: "always" | "active", frequencies: Float64Array): PlaceableModel {
  const slice = (bytes: number) => ({ gpu: { type: "Q4_0", bytes }, cpu: { type: "Q4_0", bytes } });
  return {
    layers: [
      {
        attention: [slice(1001)],
        kvCache: [slice(2000)],
        norms: [slice(10)],
        ffn: {
          unit: "neuron",
          unitCount: 130,
          unitTensors: [
            { ...slice(18), read: "always" },
            { ...slice(30), read },
          ],
          shared: [slice(500)],
          activity: { kind: "profile", frequencies },
        },
      },
    ],
    output: [slice(3003)],
    embeddingBytes: 3000,
    gpuScratchBytes: 100,
    gpuEverythingBytes: Number.POSITIVE_INFINITY,
    hiddenBytes: 64,
    logitsBytes: 400,
    gpuAllocationBytes: 16,
  };
}

function tinyProblem(read: "always" | "active", frequencies: Float64Array): PlacementProblem {
  return placementProblem({
    model: tinyModel(read, frequencies),
    hardware: card,
    budgetBytes: GiB,
    objective: "latency",
  });
}

describe("unitsByActivity", () => {
  it("sorts by frequency, falling, and equal ones by index", () => {
    const frequencies = Float64Array.of(0.1, 0.5, 0, 0.5, 0.1, 1);
    expect([...unitsByActivity({ kind: "profile", frequencies }, neurons(6))]).toEqual([
      5, 1, 3, 0, 4, 2,
    ]);
  });

  it("agrees with a stable sort on 50 random profiles with many ties", () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = createRandom(seed);
      const frequencies = Float64Array.from({ length: 300 }, () => random.integer(20) / 19);
      const expected = Array.from(frequencies, (_, id) => id).sort(
        (a, b) => frequencies[b]! - frequencies[a]!,
      );
      expect([...unitsByActivity({ kind: "profile", frequencies }, neurons(300))]).toEqual(
        expected,
      );
    }
  });

  it.each([Number.NaN, -0.1, 1.5])("refuses the frequency %d and says where", (wrong) => {
    const frequencies = Float64Array.of(0, wrong);
    expect(() => unitsByActivity({ kind: "profile", frequencies }, neurons(2))).toThrow(
      /at neuron 1/,
    );
  });

  it("refuses a profile of another length", () => {
    const activity = { kind: "profile", frequencies: new Float64Array(3) } as const;
    expect(() => unitsByActivity(activity, neurons(4))).toThrow(OptionError);
  });
});

describe("placementProblem", () => {
  const frequencies = Float64Array.from({ length: 130 }, (_, id) => (id < 2 ? 1 : 0.25));

  it("counts bytes as allocated, each tensor rounded up", () => {
    const [layer] = tinyProblem("active", frequencies).layers;
    const up = (bytes: number) => Math.ceil(bytes / 16) * 16;
    expect(layer!.residentBytes).toBe(up(1001) + up(2000) + up(10) + up(500));
    expect([...layer!.hotBytes]).toEqual([0, 64, 128, 130].map((n) => up(n * 18) + up(n * 30)));
  });

  it("reads active rows by frequency, others always, and pays the split while a neuron is cold", () => {
    const [layer] = tinyProblem("active", frequencies).layers;
    const mass = [0, 2 + 62 * 0.25, 2 + 126 * 0.25, 2 + 128 * 0.25];
    const expected = [0, 64, 128, 130].map((n, i) => {
      const gpu = n === 0 ? 0 : (n * 18 + mass[i]! * 30 + 500) / gpuSpeed;
      const cpu = n === 130 ? 0 : ((130 - n) * 18 + (mass[3]! - mass[i]!) * 30 + 500) / cpuSpeed;
      return Math.max(gpu, cpu) + (n === 130 ? 0 : card.splitLayerSeconds);
    });
    for (const [n, seconds] of layer!.ffnSeconds.entries())
      expect(seconds).toBeCloseTo(expected[n]!, 15);
    expect(layer!.cpuSeconds).toBeCloseTo(
      card.cpu.dispatchSeconds! + (1001 + 2000 + 10 + 500 + 130 * 18 + mass[3]! * 30) / cpuSpeed,
      15,
    );
  });

  it("does not let activity change the time of a dense FFN", () => {
    const cold = tinyProblem("always", new Float64Array(130)).layers[0]!;
    const hot = tinyProblem("always", frequencies).layers[0]!;
    expect(cold.ffnSeconds).toEqual(hot.ffnSeconds);
  });

  it("derives the paper's C_l from C T_gpu + T_sync <= C T_cpu", () => {
    const model = describeModel(shape7b);
    const [layer] = placementProblem({
      model,
      hardware: card,
      budgetBytes: 0,
      objective: "paper",
    }).layers;
    const bytes = model.layers[0]!.ffn.unitTensors.reduce(
      (sum, tensor) => sum + tensor.gpu.bytes,
      0,
    );
    const neurons = card.splitLayerSeconds / (bytes / cpuSpeed - bytes / gpuSpeed);
    expect(layer!.minimumHotGroups).toBe(Math.ceil(Math.ceil(neurons) / 64));
  });

  it.each([-1, Number.NaN, 0.5, 25 * GiB])(
    "refuses a budget of %d bytes on a card of 24 GiB",
    (budgetBytes) => {
      const model = describeModel({
        ...shape7b,
        layers: 1,
        activity: () => powerLawActivity(1, shape7b.neurons),
      });
      expect(() =>
        placementProblem({ model, hardware: card, budgetBytes, objective: "latency" }),
      ).toThrow(OptionError);
    },
  );
});
