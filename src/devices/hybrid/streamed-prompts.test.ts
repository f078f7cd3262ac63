/** Prompts whose cold neurons and experts the card computes, from weights that come to it: the answers are those of one device. */
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { statsOf } from "../../../test/fixtures/hybrid-stats.ts";
import { hot, type LayerChoice, onCpu, placementOf } from "../../../test/fixtures/placements.ts";
import { stepLogits, stepOptions } from "../../../test/fixtures/step-logits.ts";
import { tinyModels } from "../../../test/fixtures/tiny-models.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { buildProgram } from "../../model/build-program.ts";
import type { Model } from "../../model/model.ts";
import { createStep, type Program } from "../../ops/program.ts";
import { createHybridBackend } from "./backend.ts";
import { partitionProgram } from "./partition.ts";

const tinyModel = tinyModels();

const told = (share: number): LayerChoice => ({ ...hot(share), predictsOnGpu: true });
const placements: Readonly<Record<string, readonly LayerChoice[]>> = {
  "nothing hot": [hot(0)],
  "a third hot": [hot(1 / 3)],
  "the first layer on the CPU": [onCpu, hot(0.5)],
  "the card predicts": [told(0.4)],
};

const predictors = ["--powerinfer", "--predictor-rank", "16", "--dim", "128"];
const models: Readonly<Record<string, readonly string[]>> = {
  "llama with predictors": predictors,
  falcon: ["--arch", "falcon", ...predictors],
  gemma4: ["--arch", "gemma4", "--layers", "4", "--experts", "8"],
  "gpt-oss": ["--arch", "gpt-oss"],
};
const onPath = { promptPath: { path: "stream", fromRows: 3 } } as const;

describe.each(Object.entries(models))("%s, streamed", (_, changes) => {
  it.each(Object.keys(placements))("answers as on one device: %s", async (name) => {
    const model = await tinyModel(...changes);
    const alone = await stepLogits(createReferenceBackend(), model);
    const placement = placementOf(model, placements[name]!);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    using hybrid = createHybridBackend({ gpu, cpu, placement, ...onPath });
    const both = await stepLogits(hybrid, model);
    expectClose(both.logits, alone.logits);
    expect(both.counts.map(({ active }) => active)).toEqual(
      alone.counts.map(({ active }) => active),
    );
  });
});

function programOf(model: Model): Program {
  return buildProgram(model, stepOptions).program;
}

describe("a prompt that streams", () => {
  it("leaves the CPU and all crossings of split layers out, and nothing of other steps", async () => {
    const model = await tinyModel();
    const placement = placementOf(model, [hot(0.5)]);
    const program = programOf(model);
    const { actions } = partitionProgram(program, placement, { streamPath: true });
    const onlyOn = (path: "split" | "stream"): readonly string[] =>
      actions[0]!
        .filter(({ paths }) => paths?.join() === path)
        .map((action) => (action.kind === "run" ? action.label : `to ${action.to}`));
    const layer = (at: number): readonly string[] => ["to cpu", `cold ffn ${at}`, "to gpu0"];
    expect(onlyOn("split")).toEqual([...layer(0), ...layer(1)]);
    expect(onlyOn("stream")).toEqual(["streamed ffn 0", "streamed ffn 1"]);
    const others = actions[0]!.filter(({ paths }) => paths?.join() !== "stream").length;
    const before = partitionProgram(program, placement).actions[0]!;
    expect(others).toBe(before.length);
  });

  it("is said to have done so, and its neurons are the card's", async () => {
    const model = await tinyModel();
    const placement = placementOf(model, [hot(0.5)]);
    const program = programOf(model);
    const [gpu, cpu] = [createReferenceBackend(), createReferenceBackend()];
    using backend = createHybridBackend({ gpu, cpu, placement, ...onPath });
    using executable = await backend.compile(program);
    const step = createStep(program.maxRows, program.maxOutputs);
    step.rowCount = 3;
    step.position.set([0, 1, 2]);
    await executable.run(0, step);
    expect(await statsOf(executable)).toMatchObject({
      promptPath: "stream",
      gpuActivationShare: 1,
    });
    step.rowCount = 2;
    step.position.set([3, 4]);
    await executable.run(0, step);
    expect(await statsOf(executable)).toMatchObject({ promptPath: "split" });
  });

  it("computes in parts of a width that a card can remember", async () => {
    const model = await tinyModel(...predictors, "--ffn", "9216", "--layers", "1");
    const placement = placementOf(model, [hot(0)]);
    const { programs } = partitionProgram(programOf(model), placement, { streamPath: true });
    const streamed = programs.get("gpu0")!.segments.find(({ isStreamed }) => isStreamed === true);
    const widths = streamed!.ops.map((op) => (op.kind === "ffn" ? op.block.subset?.length : 0));
    expect(widths).toEqual([4096, 4096, 1024]);
  });
});
