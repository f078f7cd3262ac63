/** Counts of single neurons: each backend reports what it computed in steps that write answers, and nothing else. */
import { afterAll, describe, expect, it } from "vitest";
import { placementOf } from "../../../test/fixtures/placements.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../../backends/addon.ts";
import type { Backend, Executable, FfnCounts, NeuronCounts } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { openGguf } from "../../gguf/open.ts";
import { buildProgram } from "../../model/build-program.ts";
import { openModel } from "../../model/model.ts";
import { createStep } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";

const file = await makeTinyModel(["--activation", "relu", "--layers", "2"]);
afterAll(() => file[Symbol.dispose]());
const model = openModel(openGguf(file.path));
const addon = loadAddon();
const withoutAddon = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
const { program } = buildProgram(model, {
  contextLength: 32,
  sequences: 1,
  maxRows: 8,
  maxOutputs: 2,
  kvType: "f32",
  output: "logits",
  methodFor: () => ({ kind: "gate" }),
});

const step = createStep(program.maxRows, program.maxOutputs);
let position = 0;

/** `purposes`: how many of the rows are of an answer, and how many behind it of proposals. All of these want an output. */
async function runRows(
  executable: Executable,
  tokens: readonly number[],
  purposes: { readonly answers: number; readonly proposals: number },
): Promise<void> {
  const { answers, proposals } = purposes;
  for (const [row, token] of tokens.entries()) {
    step.position[row] = position++;
    step.token[row] = token;
  }
  step.rowCount = tokens.length;
  step.answerRows = answers;
  step.proposalRows = proposals;
  step.outputCount = 0;
  for (let row = 0; row < answers + proposals; row++) step.outputRow[step.outputCount++] = row;
  if (step.outputCount < tokens.length) step.outputRow[step.outputCount++] = tokens.length - 1;
  await executable.run(0, step);
}

const reading = { answers: 0, proposals: 0 };
const answering = { answers: 1, proposals: 0 };

/** Of a prompt of four tokens, and then of five steps of one token. */
async function countsOn(backend: Backend): Promise<readonly NeuronCounts[]> {
  using executable = await backend.compile(program);
  position = 0;
  expect(await executable.neuronCounts()).toEqual([]);
  await runRows(executable, [5, 17, 2, 9], reading);
  expect(await executable.neuronCounts()).toEqual([]);
  executable.ffnCounts();
  for (const token of [3, 8, 21]) await runRows(executable, [token], answering);
  const first = await executable.neuronCounts();
  for (const token of [30, 1]) await runRows(executable, [token], answering);
  const second = await executable.neuronCounts();
  expect([first, second].map((counts) => counts.map(({ rows }) => rows))).toEqual([
    [3, 3],
    [2, 2],
  ]);
  const both = first.map((counts, at) => ({
    ...counts,
    active: counts.active.map((count, i) => count + (second[at]?.active[i] ?? 0)),
  }));
  const blocks = executable.ffnCounts();
  // Of both devices together: a share is counted as a share.
  expect(blocks.map(({ neurons }) => neurons)).toEqual([64, 64]);
  if (!backend.description.startsWith("hybrid")) expectSameSum(both, blocks);
  return both;
}

function expectSameSum(counts: readonly NeuronCounts[], blocks: readonly FfnCounts[]): void {
  const sums = counts.map(({ active }) => active.reduce((sum, count) => sum + count, 0));
  expect(blocks.map(({ active }) => active)).toEqual(sums);
}

describe("counts of single neurons", () => {
  it("of the reference add up to the counts of its blocks", async () => {
    const counts = await countsOn(createReferenceBackend());
    expect(counts.map(({ layer, neurons }) => [layer, neurons.length])).toEqual([
      [0, 64],
      [1, 64],
    ]);
    expect(counts.some(({ active }) => active.some((count) => count > 0 && count < 5))).toBe(true);
  });

  it("of two devices are those of the neurons on the CPU, as on one", async () => {
    const alone = await countsOn(createReferenceBackend());
    const placement = placementOf(model, [{ attention: "gpu", hot: 0.4 }]);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    const counts = await countsOn(createHybridBackend({ gpu, cpu, placement }));
    for (const [layer, { neurons, active }] of counts.entries()) {
      const cold = placement.layers[layer]?.parts.find(({ device }) => device === "cpu");
      expect(neurons).toEqual(cold?.units);
      expect(active).toEqual(neurons.map((id) => alone[layer]?.active[id] ?? -1));
    }
  });

  it.skipIf(addon.kind === "missing")(
    `of the native CPU are the reference's, with all neurons and with a share${withoutAddon}`,
    async () => {
      const alone = await countsOn(createReferenceBackend());
      using cpu = createCpuBackend({ threads: 2 });
      expect(await countsOn(cpu)).toEqual(alone);
      const placement = placementOf(model, [{ attention: "gpu", hot: 0.4 }]);
      const devices = { gpu: createReferenceBackend(), cpu: createCpuBackend({ threads: 1 }) };
      using hybrid = createHybridBackend({ ...devices, placement });
      for (const { layer, neurons, active } of await countsOn(hybrid)) {
        expect(active).toEqual(neurons.map((id) => alone[layer]?.active[id] ?? -1));
      }
    },
  );

  const backends: readonly (readonly [string, () => Backend])[] = [
    ["the reference", createReferenceBackend],
    ...(addon.kind === "missing"
      ? []
      : [["the native CPU", () => createCpuBackend({ threads: 1 })] as const]),
  ];
  it.each(backends)("of %s leave out proposals, and steps that read prompts", async (_, open) => {
    using backend = open();
    const countsOf = async (
      tokens: readonly number[],
      purposes: typeof reading,
    ): Promise<readonly NeuronCounts[]> => {
      using executable = await backend.compile(program);
      await executable.neuronCounts();
      position = 0;
      await runRows(executable, tokens, purposes);
      return executable.neuronCounts();
    };
    const alone = await countsOf([5], answering);
    expect(alone.map(({ rows }) => rows)).toEqual([1, 1]);
    expect(await countsOf([5, 17], { answers: 1, proposals: 1 })).toEqual(alone);
    expect(await countsOf([5, 17, 2], { answers: 1, proposals: 0 })).toEqual([]);
  });
});
