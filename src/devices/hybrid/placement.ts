/** Which device has what, as the executor needs it of a plan, and whether a program fits it. */
import { counted } from "../../core/counted.ts";
import { ShapeError } from "../../core/errors.ts";
import { isIndivisible } from "../../ops/ffn-block.ts";
import type { Program } from "../../ops/program.ts";
import { opsOfKind } from "../../ops/program-ops.ts";
import { cpuDevice, type DeviceId, type Plan, type PlanLayer } from "../../placement/plan.ts";

/** The parts of a plan that the executor needs. */
export type Placement = Pick<Plan, "layers" | "outputDevice">;

/** Those that it names: cards in the order of their numbers, then the host's processor. */
export function devicesOf({ layers, outputDevice }: Placement): readonly DeviceId[] {
  const named = layers.flatMap(({ attentionDevice, parts }) => [
    attentionDevice,
    ...parts.map(({ device }) => device),
  ]);
  const cards = new Set([...named, outputDevice].filter((device) => device !== cpuDevice));
  const numberOf = (device: DeviceId): number => Number(device.slice("gpu".length));
  return [...[...cards].sort((a, b) => numberOf(a) - numberOf(b)), cpuDevice];
}

/** Those of a layer that the device has; ids rising. */
export function neuronsOf(layer: PlanLayer, wanted: DeviceId): Uint32Array {
  const ids = layer.parts
    .filter(({ device }) => device === wanted)
    .flatMap(({ neurons }) => [...neurons]);
  return Uint32Array.from(ids).sort();
}

/** @throws ShapeError when the placement is of a model with other layers or neurons. */
export function checkPlacement(program: Program, placement: Placement): void {
  for (const { layers } of program.segments) {
    if (layers !== undefined && layers.length !== placement.layers.length) {
      const expected = `a placement of ${counted(layers.length, "layer")}`;
      throw new ShapeError("placement", expected, `one of ${placement.layers.length}`);
    }
  }
  for (const [layer, { attentionDevice, predictorDevice }] of placement.layers.entries()) {
    if (predictorDevice === undefined || predictorDevice === attentionDevice) continue;
    const expected = `the predictor of layer ${layer} on ${attentionDevice}, as its attention`;
    throw new ShapeError("placement", expected, predictorDevice);
  }
  for (const { block } of opsOfKind(program, "ffn")) {
    const { layer, neurons } = block;
    const placed = placement.layers[layer];
    const sharing = placed?.parts.filter((part) => part.neurons.length > 0).length ?? 0;
    if (isIndivisible(block) && sharing > 1) {
      const expected = `all neurons of layer ${layer} on one device, as they are normed together`;
      throw new ShapeError("placement", expected, `neurons on ${sharing} devices`);
    }
    if (placed !== undefined && placed.neuronCount !== neurons) {
      const expected = `${counted(neurons, "neuron")} in layer ${layer} of the placement`;
      throw new ShapeError("placement", expected, String(placed.neuronCount));
    }
  }
}
