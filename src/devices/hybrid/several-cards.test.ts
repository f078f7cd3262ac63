/** Plans name devices by value: two cards share layers, and the processor has the neurons of neither. */
import { expect, it } from "vitest";
import { expectClose } from "../../../test/fixtures/close-logits.ts";
import { stepLogits } from "../../../test/fixtures/step-logits.ts";
import { makeTinyModel } from "../../../test/fixtures/tiny-model.ts";
import { createReferenceBackend } from "../../backends/reference/reference-backend.ts";
import { openGguf } from "../../gguf/open.ts";
import { openModel } from "../../model/model.ts";
import type { DeviceId, PlanLayer } from "../../placement/plan.ts";
import { createHybridBackend } from "./backend.ts";

const owners: readonly DeviceId[] = ["gpu1", "gpu0", "cpu"];

function inThirds(unitCount: number, attentionDevice: DeviceId): PlanLayer {
  const ids = Uint32Array.from({ length: unitCount }, (_, id) => id);
  const parts = owners.map((device, owner) => ({
    device,
    units: ids.filter((id) => id % owners.length === owner),
  }));
  return { unit: "neuron", unitCount, attentionDevice, parts };
}

it.each(["llama", "falcon", "opt"])("%s answers on two cards as on one device", async (arch) => {
  using file = await makeTinyModel(["--arch", arch]);
  const model = openModel(openGguf(file.path));
  const alone = await stepLogits(createReferenceBackend(), model);
  const layers = model.hyperparameters.neurons.map((neurons, layer) =>
    inThirds(neurons, layer === 0 ? "gpu0" : "gpu1"),
  );
  using hybrid = createHybridBackend({
    gpu: createReferenceBackend(),
    furtherCards: [createReferenceBackend()],
    cpu: createReferenceBackend(),
    placement: { layers, outputDevice: "gpu1" },
  });
  const shared = await stepLogits(hybrid, model);
  expectClose(shared.logits, alone.logits);
  const activeOf = ({ counts }: typeof alone): readonly number[] =>
    counts.map(({ active }) => active);
  expect(activeOf(shared)).toEqual(activeOf(alone));
});
