/** A placement that is wrong on purpose: neurons change places while the steps stay those of one device. */
import { afterAll, describe, expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { statsOf } from "../../../test/fixtures/hybrid-stats.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../../backends/addon.ts";
import type { Backend, Executable } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { openGguf } from "../../gguf/open.ts";
import { buildProgram } from "../../model/build-program.ts";
import { openModel } from "../../model/model.ts";
import { createStep } from "../../ops/program.ts";
import type { PlanLayer } from "../../placement/plan.ts";
import { createHybridBackend } from "./backend.ts";
import type { Placement } from "./placement.ts";

const file = await makeTinyModel(["--activation", "relu", "--layers", "2"]);
afterAll(() => file[Symbol.dispose]());
const model = openModel(openGguf(file.path));
const addon = loadAddon();
const withoutAddon = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
const answered = 40;
const { program, slots } = buildProgram(model, {
  contextLength: 2 * answered,
  sequences: 1,
  maxRows: 1,
  maxOutputs: 1,
  kvType: "f32",
  output: "logits",
  methodFor: () => ({ kind: "gate" }),
});
const step = createStep(1, 1);

async function logitsOf(executable: Executable): Promise<readonly Float32Array[]> {
  const logits: Float32Array[] = [];
  for (let position = 0; position < answered; position++) {
    step.rowCount = step.answerRows = step.outputCount = 1;
    step.position[0] = position;
    step.token[0] = (7 + 13 * position) % model.vocabulary;
    await executable.run(0, step);
    logits.push(executable.output(slots.logits!).slice());
  }
  return logits;
}

/** What one device answers, and the neurons of each layer, least active first. */
async function alone(): Promise<{ logits: readonly Float32Array[]; resting: readonly number[][] }> {
  using executable = await createReferenceBackend().compile(program);
  await executable.neuronCounts();
  const logits = await logitsOf(executable);
  const counts = await executable.neuronCounts();
  const resting = counts.map(({ neurons, active }) =>
    [...neurons].sort((a, b) => active[a]! - active[b]! || a - b),
  );
  return { logits, resting };
}

function wrongPlacement(resting: readonly number[][]): Placement {
  const layers = resting.map(
    (order): PlanLayer => ({
      unit: "neuron",
      unitCount: order.length,
      attentionDevice: "gpu0",
      parts: [
        { device: "gpu0", units: Uint32Array.from(order.slice(0, 24)).sort() },
        { device: "cpu", units: Uint32Array.from(order.slice(24)).sort() },
      ],
    }),
  );
  return { layers, outputDevice: "gpu0" };
}

function expectCloseAndBest(
  found: readonly Float32Array[],
  expected: readonly Float32Array[],
): void {
  expectClose(found, expected);
  found.forEach((row, i) => {
    expect(row.indexOf(Math.max(...row))).toBe(expected[i]!.indexOf(Math.max(...expected[i]!)));
  });
}

async function expectAdapts(devices: { gpu: Backend; cpu: Backend }): Promise<void> {
  const { logits, resting } = await alone();
  const placement = wrongPlacement(resting);
  using backend = createHybridBackend({ ...devices, placement, adapt: { expectedShare: 0.6 } });
  using executable = await backend.compile(program);
  expectCloseAndBest(await logitsOf(executable), logits);
  const before = await statsOf(executable);
  expect(before.exchangedGroups).toBe(0);
  const memory = executable.memory;
  await executable.adapt();
  const { exchangedGroups } = await statsOf(executable);
  expect(exchangedGroups).toBeGreaterThan(0);
  expect(executable.memory).toEqual(memory);
  executable.ffnCounts();
  expectCloseAndBest(await logitsOf(executable), logits);
  const after = await statsOf(executable);
  // Shares are those of all steps: equally many ran before and after. 24 of 64 neurons are hot.
  const share = 2 * after.gpuActivationShare - before.gpuActivationShare;
  expect(before.gpuActivationShare).toBeLessThan(24 / 64);
  expect(share).toBeGreaterThan(24 / 64);
  expect(after.gpuBytes).toBe(before.gpuBytes);
}

describe("a hybrid that adapts", () => {
  it("serves more of the active neurons on the card, with the same answers and the same memory", async () => {
    await expectAdapts({ gpu: createReferenceBackend(), cpu: createReferenceBackend() });
  });

  it.skipIf(addon.kind === "missing")(`does so with the native CPU${withoutAddon}`, async () => {
    await expectAdapts({ gpu: createReferenceBackend(), cpu: createCpuBackend({ threads: 1 }) });
    await expectAdapts({
      gpu: createCpuBackend({ threads: 1 }),
      cpu: createCpuBackend({ threads: 2 }),
    });
  });

  it("exchanges by itself when nothing runs, and hands its counts to the learner", async () => {
    const { resting } = await alone();
    const placement = wrongPlacement(resting);
    const devices = { gpu: createReferenceBackend(), cpu: createReferenceBackend() };
    using backend = createHybridBackend({ ...devices, placement, adapt: { expectedShare: 0.6 } });
    using executable = await backend.compile(program);
    expect(await executable.neuronCounts()).toEqual([]);
    await logitsOf(executable);
    const exchanged = async (): Promise<number> => (await statsOf(executable)).exchangedGroups;
    await expect.poll(exchanged, { timeout: 20_000 }).toBeGreaterThan(0);
    await logitsOf(executable);
    const counts = await executable.neuronCounts();
    expect(counts.map(({ rows, neurons }) => [rows, neurons.length])).toEqual([
      [2 * answered, 64],
      [2 * answered, 64],
    ]);
  });

  it("stays as it is where the expected share is met", async () => {
    const { resting } = await alone();
    const placement = wrongPlacement(resting);
    const devices = { gpu: createReferenceBackend(), cpu: createReferenceBackend() };
    using backend = createHybridBackend({ ...devices, placement, adapt: { expectedShare: 0 } });
    using executable = await backend.compile(program);
    await logitsOf(executable);
    await executable.adapt();
    expect((await statsOf(executable)).exchangedGroups).toBe(0);
  });
});
