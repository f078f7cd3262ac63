/** Which device has what, as the executor needs it of a plan, and whether a program fits it. */
import { counted } from "../../core/counted.ts";
import { ShapeError } from "../../core/errors.ts";
import type { Program } from "../../ops/program.ts";
import { cpuDevice, type DeviceId, type Plan, type PlanLayer } from "../../placement/plan.ts";
import { isWhole, placedOps, unitsOf } from "./placed-op.ts";

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
export function unitsOn(layer: PlanLayer, wanted: DeviceId): Uint32Array {
  const parts = layer.parts.filter(({ device }) => device === wanted);
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only.units.slice();
  const ids = parts.flatMap(({ units }) => [...units]);
  return Uint32Array.from(ids).sort();
}

/** @throws ShapeError when the placement is of a model with other layers, neurons or experts. */
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
  for (const [layer, op] of placedOps(program.segments.flatMap(({ ops }) => ops))) {
    const placed = placement.layers[layer];
    if (placed === undefined) continue;
    const { unit, count } = unitsOf(op);
    const sharing = placed.parts.filter(({ units }) => units.length > 0).length;
    if (isWhole(op) && sharing > 1) {
      const expected = `all neurons of layer ${layer} on one device, as they are normed together`;
      throw new ShapeError("placement", expected, `neurons on ${sharing} devices`);
    }
    if (placed.unit !== unit || placed.unitCount !== count) {
      const expected = `${counted(count, unit)} in layer ${layer} of the placement`;
      throw new ShapeError("placement", expected, counted(placed.unitCount, placed.unit));
    }
  }
}
