/** Experts on two devices against one: the same rows, the same choices, whoever has which of them. */
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { statsOf } from "../../../test/fixtures/hybrid-stats.ts";
import { hot, type LayerChoice, onCpu, placementOf } from "../../../test/fixtures/placements.ts";
import { stepLogits } from "../../../test/fixtures/step-logits.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { loadAddon } from "../../backends/addon.ts";
import type { Backend, Executable } from "../../backends/backend.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { openGguf } from "../../gguf/open.ts";
import { buildProgram, type ModelProgram } from "../../model/build-program.ts";
import { openModel } from "../../model/model.ts";
import { createStep } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";
import { partitionProgram } from "./partition.ts";

const placements: Readonly<Record<string, readonly LayerChoice[]>> = {
  "nothing hot": [hot(0)],
  "a third hot": [hot(1 / 3)],
  "the first layer on the CPU": [onCpu, hot(0.5)],
};

/** Routers of every place, shared experts of every kind, layers without experts, biases. */
const models: Readonly<Record<string, readonly string[]>> = {
  mixtral: [],
  "gpt-oss": [],
  glm4moe: ["--layers", "3"],
  smallthinker: [],
  qwen2moe: [],
  gemma4: ["--experts", "8"],
};

describe.each(Object.entries(models))("%s on two devices", (architecture, changes) => {
  it.each(Object.keys(placements))("answers as on one: %s", async (name) => {
    using file = await makeTinyModel(["--arch", architecture, ...changes]);
    const model = openModel(openGguf(file.path));
    const alone = await stepLogits(createReferenceBackend(), model);
    const placement = placementOf(model, placements[name]!);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    const both = await stepLogits(createHybridBackend({ gpu, cpu, placement }), model);
    expectClose(both.logits, alone.logits);
    expect(both.counts.map(({ active }) => active)).toEqual(
      alone.counts.map(({ active }) => active),
    );
  });
});

describe("a layer with experts on both devices", () => {
  it("crosses once each way, and its routes with its input", async () => {
    using file = await makeTinyModel(["--arch", "qwen3moe"]);
    const model = openModel(openGguf(file.path));
    const { program } = buildProgram(model, {
      contextLength: 32,
      sequences: 1,
      maxRows: 4,
      maxOutputs: 1,
      kvType: "f32",
      output: "logits",
    });
    const { actions, programs } = partitionProgram(program, placementOf(model, [hot(0.5)]));
    const transfers = (actions[0] ?? []).filter((action) => action.kind === "transfer");
    const names = transfers.map(({ from, slots }) => [from, slots.map((slot) => slot.from.name)]);
    // The embedding comes from the CPU.
    expect(names).toEqual([
      ["cpu", ["residual"]],
      ["gpu0", ["residual", "routes"]],
      ["cpu", ["ffn of cpu, step"]],
      ["gpu0", ["residual", "routes"]],
      ["cpu", ["ffn of cpu, step"]],
    ]);
    const routers = [...programs].map(([device, { segments }]) => [
      device,
      segments.flatMap(({ ops }) => ops).filter(({ kind }) => kind === "route").length,
    ]);
    expect(routers).toEqual([
      ["gpu0", 2],
      ["cpu", 0],
    ]);
  });
});

const addon = loadAddon();
const withoutAddon = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";

/** Logits of an answer, token after token. */
async function answerOn(executable: Executable, { program, slots }: ModelProgram) {
  const step = createStep(program.maxRows, program.maxOutputs);
  const logits: Float32Array[] = [];
  for (let position = 0; position < program.kv.contextLength; position++) {
    step.rowCount = step.answerRows = step.outputCount = 1;
    step.position[0] = position;
    step.token[0] = (7 + 13 * position) % 300;
    await executable.run(0, step);
    logits.push(executable.output(slots.logits!).slice());
  }
  return logits;
}

async function changePlaces(create: () => Backend): Promise<void> {
  using file = await makeTinyModel(["--arch", "gpt-oss", "--router-skew", "1"]);
  const model = openModel(openGguf(file.path));
  const built = buildProgram(model, {
    contextLength: 70,
    sequences: 1,
    maxRows: 1,
    maxOutputs: 1,
    kvType: "f32",
    output: "logits",
  });
  using alone = await createReferenceBackend().compile(built.program);
  const wanted = await answerOn(alone, built);
  using hybrid = createHybridBackend({
    gpu: create(),
    cpu: create(),
    placement: placementOf(model, [hot(0.5)]),
    adapt: { expectedShare: 0.5 },
  });
  using both = await hybrid.compile(built.program);
  expectClose(await answerOn(both, built), wanted);
  expect((await statsOf(both)).exchangedGroups).toBeGreaterThan(0);
}

describe("experts that change places", () => {
  it("leave the answer as it was, on the reference", () => changePlaces(createReferenceBackend));

  it.skipIf(addon.kind === "missing")(
    `leave the answer as it was, on the native CPU${withoutAddon}`,
    () => changePlaces(() => createCpuBackend({ exact: true, threads: 1 })),
  );
});
