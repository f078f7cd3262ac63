/**
 * What one layer costs in GPU bytes and in seconds per token, by how many of its groups are hot and who predicts.
 * The formulas are argued in docs/decisions/0003-placement-solver.md and 0026-card-predictors.md.
 */
import type { Bytes } from "../core/units.ts";
import { type CpuProfile, type GpuProfile, readSpeed } from "./hardware.ts";
import { meanOfMaximum, type VaryingTime } from "./mean-of-maximum.ts";
import {
  allocatedBytes,
  type PlaceableFfn,
  type PlaceableLayer,
  type PlaceablePredictor,
  type PlaceableTensor,
  type PlacementUnit,
  type UnitTensor,
} from "./placeable-model.ts";
import { type ActiveUnits, activeUnits, unitsByActivity } from "./unit-order.ts";

/** Units that are placed together. 64 neurons: fine enough that rounding is lost in a layer of thousands (the paper's batch). */
export const unitsOfGroup: Readonly<Record<PlacementUnit, number>> = { neuron: 64, expert: 1 };

/** One layer. Arrays over n, the number of hot groups, 0 to all of them. */
export interface LayerProblem {
  readonly unit: PlacementUnit;
  readonly unitCount: number;
  /** Ids, most active first; group g of neurons is the ids 64 g to 64 g + 63. */
  readonly order: Uint32Array;
  /** GPU bytes of attention, KV cache, norms and what its FFN shares: needed before anything of it is hot. */
  readonly residentBytes: Bytes;
  readonly hotBytes: Float64Array;
  /** The same where the GPU predicts for all neurons, the predictor included: 0 to all but one group. */
  readonly predicting?: {
    readonly hotBytes: Float64Array;
    readonly ffnSeconds: Float64Array;
  };
  /** Sum of activation frequencies of the hot units, counted in neurons. */
  readonly hotMass: Float64Array;
  /** Seconds per token of the FFN, with the price of its split, when attention is on the GPU. */
  readonly ffnSeconds: Float64Array;
  /** Seconds per token of everything else on the GPU. */
  readonly residentSeconds: number;
  /** Seconds per token of the whole layer on the CPU. */
  readonly cpuSeconds: number;
  /** The paper's C_l in groups: a layer has no hot group, or at least so many. */
  readonly minimumHotGroups: number;
  /** It has no hot group or all of them, under each objective. */
  readonly isWhole: boolean;
}

/** GPU bytes of whole tensors, each rounded up to the allocation unit. */
export function gpuBytes(tensors: readonly PlaceableTensor[], allocation: Bytes): Bytes {
  return tensors.reduce((sum, tensor) => sum + allocatedBytes(tensor.gpu.bytes, allocation), 0);
}

/** GPU bytes of so many units. */
export function gpuUnitBytes(ffn: PlaceableFfn, units: number, allocation: Bytes): Bytes {
  return tensorsFor(ffn, units).reduce(
    (sum, tensor) => sum + allocatedBytes(Math.round(units * tensor.gpu.bytes), allocation),
    0,
  );
}

/** The form that a device with so many of its units holds. */
export function tensorsFor(ffn: PlaceableFfn, units: number): readonly UnitTensor[] {
  return units === ffn.unitCount ? (ffn.wholeTensors ?? ffn.unitTensors) : ffn.unitTensors;
}

export interface Devices {
  readonly cpu: CpuProfile;
  readonly gpu: GpuProfile;
  readonly splitSeconds: number;
  readonly allocation: Bytes;
  /** Answers that a step goes on with. */
  readonly rows: number;
  readonly downloadBytesPerSecond: number;
  /** Kernel calls of a layer, as ratios to those of one that is whole on the GPU. */
  readonly dispatches: { readonly split: number; readonly predicting: number };
}

export function layerProblem(layer: PlaceableLayer, devices: Devices): LayerProblem {
  const { ffn } = layer;
  const { isWhole = false, unit, neuronsOfUnit = 1 } = ffn;
  const groupSize = unitsOfGroup[unit];
  const resident = [...layer.attention, ...layer.kvCache, ...layer.norms];
  const order = unitsByActivity(ffn.activity, ffn);
  const active = activeUnits(ffn.activity, order, { group: groupSize, rows: devices.rows });
  const { allocation, gpu, cpu } = devices;
  const groups = active.frequency.length - 1;
  const own = costs(ffn, { active, devices, groups }, (hot) => hotUnitBytes(ffn, hot, allocation));
  const everyRow = (unit === "expert" ? active.perStep : active.perRow)[groups] ?? 0;
  return {
    unit,
    unitCount: ffn.unitCount,
    order,
    residentBytes: gpuBytes([...resident, ...ffn.shared], allocation),
    ...own,
    ...(ffn.predictor && predictingOnce(ffn, ffn.predictor, { active, devices, groups, own })),
    hotMass: active.frequency.map((sum) => sum * neuronsOfUnit),
    residentSeconds: gpuSeconds(resident, gpu) + (gpu.dispatchSeconds ?? 0),
    cpuSeconds:
      cpuSeconds(resident, cpu) +
      (cpu.dispatchSeconds ?? 0) +
      readTime(ffn, "cpu", devices)({ units: ffn.unitCount, mass: everyRow, variance: 0 }).mean,
    minimumHotGroups: isWhole ? groups : Math.ceil(minimumHotUnits(ffn, devices) / groupSize),
    isWhole,
  };
}

interface LayerCosts {
  readonly hotBytes: Float64Array;
  readonly ffnSeconds: Float64Array;
}

interface CostInputs {
  readonly active: ActiveUnits;
  readonly devices: Devices;
  readonly groups: number;
}

/** By hot groups. `fixedSeconds`: what both devices wait for before they begin. */
function costs(
  ffn: PlaceableFfn,
  { active, devices, groups }: CostInputs,
  bytesOf: (hot: number) => Bytes,
  { fixedSeconds = 0, dispatches = devices.dispatches.split } = {},
): LayerCosts {
  const hotBytes = new Float64Array(groups + 1);
  const ffnSeconds = new Float64Array(groups + 1);
  const [onGpu, onCpu] = [readTime(ffn, "gpu", devices), readTime(ffn, "cpu", devices)];
  const { dispatchSeconds = 0 } = devices.gpu;
  const ofSplit = devices.splitSeconds + fixedSeconds + (dispatches - 1) * dispatchSeconds;
  for (let n = 0; n <= groups; n++) {
    const hot = Math.min(n * unitsOfGroup[ffn.unit], ffn.unitCount);
    const { hotTimes, coldTimes } = sharesOf(active, n, { hot, ffn });
    hotBytes[n] = bytesOf(hot);
    ffnSeconds[n] =
      coldTimes.units === 0
        ? onGpu(hotTimes).mean
        : meanOfMaximum(onGpu(hotTimes), onCpu(coldTimes)) + ofSplit;
  }
  return { hotBytes, ffnSeconds };
}

/** What a device reads: so many units, and of the active ones in a step. */
interface UnitReads {
  readonly units: number;
  readonly mass: number;
  readonly variance: number;
}

/** Rows share the read of a unit on the card, and on the CPU that of an expert. */
function sharesOf(
  { perStep, perRow, variance }: ActiveUnits,
  n: number,
  { hot, ffn }: { readonly hot: number; readonly ffn: PlaceableFfn },
): { readonly hotTimes: UnitReads; readonly coldTimes: UnitReads } {
  const all = perRow.length - 1;
  const rest = (sums: Float64Array): number => (sums[all] ?? 0) - (sums[n] ?? 0);
  return {
    hotTimes: { units: hot, mass: perStep[n] ?? 0, variance: variance[n] ?? 0 },
    coldTimes: {
      units: ffn.unitCount - hot,
      mass: rest(ffn.unit === "expert" ? perStep : perRow),
      variance: rest(variance),
    },
  };
}

/**
 * The GPU predicts for all neurons of a split layer; then both devices compute their active ones. The predictor's bytes are
 * rounded up to a quarter of a group, and the choices without it too: the solver's tables need a common unit.
 */
function predictingOnce(
  ffn: PlaceableFfn,
  predictor: PlaceablePredictor,
  inputs: CostInputs & { readonly own: LayerCosts },
): Pick<LayerProblem, "hotBytes" | "predicting"> {
  const { devices, groups, own } = inputs;
  const told = toldBlock(ffn, predictor);
  const unit = gpuUnitBytes(told, unitsOfGroup[ffn.unit], devices.allocation) / stepsOfGroup;
  const rounded = (bytes: Bytes): Bytes => (unit === 0 ? bytes : Math.ceil(bytes / unit) * unit);
  const rows = rounded(predictorRowBytes(ffn, predictor, devices.allocation));
  const reads =
    gpuSeconds(predictor.shared, devices.gpu) +
    ffn.unitCount * gpuSeconds(predictor.unitTensors, devices.gpu);
  const predicting = costs(
    told,
    inputs,
    (hot) => rows + rounded(gpuUnitBytes(told, hot, devices.allocation)),
    {
      fixedSeconds: reads + (devices.rows * predictor.setBytes) / devices.downloadBytesPerSecond,
      dispatches: devices.dispatches.predicting,
    },
  );
  return {
    hotBytes: own.hotBytes.map(rounded),
    predicting: {
      hotBytes: predicting.hotBytes.subarray(0, groups),
      ffnSeconds: predicting.ffnSeconds.subarray(0, groups),
    },
  };
}

/** Steps of bytes in a group: finer ones cost the solver time, coarser ones leave more of the budget unused. */
const stepsOfGroup = 4;

/** The block as a device holds it that is told its active neurons. */
export function toldBlock(ffn: PlaceableFfn, predictor: PlaceablePredictor): PlaceableFfn {
  const { wholeTensors: _whole, predictor: _own, ...rest } = ffn;
  const ids = { type: "F32", bytes: predictor.idBytes };
  const isOther = (tensor: UnitTensor): boolean => !predictor.unitTensors.includes(tensor);
  return {
    ...rest,
    unitTensors: [
      ...ffn.unitTensors.filter(isOther),
      { gpu: ids, cpu: { ...ids, bytes: 0 }, read: "active" },
    ],
    shared: ffn.shared.filter((tensor) => !predictor.shared.includes(tensor)),
  };
}

/** GPU bytes of a predictor's rows of all neurons; what it shares is held wherever attention is. */
export function predictorRowBytes(
  { unitCount }: PlaceableFfn,
  { unitTensors }: PlaceablePredictor,
  allocation: Bytes,
): Bytes {
  return unitTensors.reduce(
    (sum, { gpu }) => sum + allocatedBytes(Math.round(unitCount * gpu.bytes), allocation),
    0,
  );
}

/**
 * As they are allocated; a whole block in another form is rounded up to the unit of its groups, which costs less than
 * a group and keeps the bytes of all choices multiples of one unit, on which the solver's speed rests.
 */
function hotUnitBytes(ffn: PlaceableFfn, hot: number, allocation: Bytes): Bytes {
  const bytes = gpuUnitBytes(ffn, hot, allocation);
  if (hot < ffn.unitCount || ffn.wholeTensors === undefined) return bytes;
  const unit = gpuUnitBytes(ffn, unitsOfGroup[ffn.unit], allocation);
  return unit === 0 ? bytes : Math.ceil(bytes / unit) * unit;
}

/** Seconds of one device for its units: sum over tensors of the bytes read / the type's speed. */
function readTime(
  ffn: PlaceableFfn,
  device: "gpu" | "cpu",
  devices: Devices,
): (reads: UnitReads) => VaryingTime {
  const profile = devices[device];
  const rates = (tensors: readonly UnitTensor[]): { unit: number; activation: number } => {
    const seconds = (read: "always" | "active"): number =>
      tensors
        .filter((tensor) => tensor.read === read)
        .reduce((sum, tensor) => sum + readSeconds(tensor[device], profile), 0);
    return { unit: seconds("always"), activation: seconds("active") };
  };
  const part = rates(ffn.unitTensors);
  const whole = ffn.wholeTensors === undefined ? part : rates(ffn.wholeTensors);
  const shared = ffn.shared.reduce((sum, tensor) => sum + readSeconds(tensor[device], profile), 0);
  return ({ units, mass, variance }) => {
    if (units === 0) return { mean: 0, variance: 0 };
    const { unit, activation } = units === ffn.unitCount ? whole : part;
    const mean = units * unit + mass * activation + shared;
    return { mean, variance: variance * activation ** 2 };
  };
}

/**
 * The paper's C_l: the smallest C with C T_gpu + T_sync <= C T_cpu, T the time to read one unit.
 * A layer that is hot as a whole has no synchronisation, so C_l is never more than all its units.
 */
function minimumHotUnits(ffn: PlaceableFfn, devices: Devices): number {
  const read = (device: "gpu" | "cpu"): number =>
    ffn.unitTensors.reduce((sum, tensor) => sum + readSeconds(tensor[device], devices[device]), 0);
  const gain = read("cpu") - read("gpu");
  if (devices.splitSeconds === 0 && gain >= 0) return 0;
  return gain <= 0
    ? ffn.unitCount
    : Math.min(Math.ceil(devices.splitSeconds / gain), ffn.unitCount);
}

export function gpuSeconds(tensors: readonly PlaceableTensor[], gpu: GpuProfile): number {
  return tensors.reduce((sum, tensor) => sum + readSeconds(tensor.gpu, gpu), 0);
}

export function cpuSeconds(tensors: readonly PlaceableTensor[], cpu: CpuProfile): number {
  return tensors.reduce((sum, tensor) => sum + readSeconds(tensor.cpu, cpu), 0);
}

function readSeconds(
  slice: { readonly type: string; readonly bytes: Bytes },
  device: CpuProfile | GpuProfile,
): number {
  return slice.bytes === 0 ? 0 : slice.bytes / readSpeed(device, slice.type);
}
