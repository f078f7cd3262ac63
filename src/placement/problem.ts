/**
 * From a model, a machine and a budget to a placement problem: per layer, what n hot groups cost in GPU bytes and
 * in seconds per token. The formulas are argued in docs/decisions/0003-placement-solver.md.
 * Source of the objective `paper`: PowerInfer (2312.12456), section 6.
 */
import { checkByteSize } from "../core/byte-size.ts";
import { OptionError } from "../core/errors.ts";
import { type Bytes, formatBytes, type Neurons } from "../core/units.ts";
import { type CpuProfile, type GpuProfile, type HardwareProfile, readSpeed } from "./hardware.ts";
import { activityMass, neuronsByActivity } from "./neuron-order.ts";
import {
  allocatedBytes,
  type NeuronTensor,
  type PlaceableFfn,
  type PlaceableLayer,
  type PlaceableModel,
  type PlaceableTensor,
} from "./placeable-model.ts";

export type Objective = "latency" | "paper";
export const objectives: readonly Objective[] = ["latency", "paper"];

/** Neurons of a group: fine enough that rounding is lost in a layer of thousands (the paper's batch of 64). */
export const groupNeurons = 64;

/** One layer. Arrays over n, the number of hot groups, 0 to all of them. */
export interface LayerProblem {
  readonly neuronCount: Neurons;
  /** Neuron ids, most active first; group g is the ids 64 g to 64 g + 63. */
  readonly order: Uint32Array;
  /** GPU bytes of attention, KV cache, norms and what its FFN shares: needed before anything of it is hot. */
  readonly residentBytes: Bytes;
  readonly hotBytes: Float64Array;
  /** Sum of activation frequencies of the hot neurons. */
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

export interface PlacementProblem {
  readonly objective: Objective;
  readonly budgetBytes: Bytes;
  /** False when the machine has no GPU: everything is on the CPU whatever the budget. */
  readonly hasGpu: boolean;
  readonly scratchBytes: Bytes;
  /** Everything on the GPU, exactly; the parts and scratch may add up to more. */
  readonly everythingBytes: Bytes;
  readonly layers: readonly LayerProblem[];
  readonly output: {
    readonly gpuBytes: Bytes;
    readonly gpuSeconds: number;
    readonly cpuSeconds: number;
  };
  /** Seconds per token to enter the GPU, and to leave it with a hidden row or with logits. */
  readonly crossing: {
    readonly enterSeconds: number;
    readonly leaveHiddenSeconds: number;
    readonly leaveLogitsSeconds: number;
  };
}

/**
 * The problem whose solution is a placement.
 * @throws OptionError for a budget that is negative, not whole or larger than the card, or a frequency outside [0, 1].
 */
export function placementProblem(request: {
  readonly model: PlaceableModel;
  readonly hardware: HardwareProfile;
  readonly budgetBytes: Bytes;
  readonly objective: Objective;
}): PlacementProblem {
  const { model, hardware } = request;
  const budgetBytes = checkBudget(request.budgetBytes, hardware);
  const gpu = hardware.gpu ?? withoutGpu;
  const devices: Devices = {
    cpu: hardware.cpu,
    gpu,
    splitSeconds: hardware.splitLayerSeconds,
    allocation: model.gpuAllocationBytes,
  };
  const { link } = hardware;
  const leave = (bytes: Bytes): number =>
    link.downloadLatencySeconds + bytes / link.downloadBytesPerSecond;
  return {
    objective: request.objective,
    budgetBytes,
    hasGpu: hardware.gpu !== null,
    scratchBytes: model.gpuScratchBytes,
    everythingBytes: model.gpuEverythingBytes,
    layers: model.layers.map((layer) => layerProblem(layer, devices)),
    output: {
      gpuBytes: gpuBytes(model.output, devices.allocation),
      gpuSeconds: gpuSeconds(model.output, gpu),
      cpuSeconds: cpuSeconds(model.output, hardware.cpu),
    },
    crossing: {
      enterSeconds: link.uploadLatencySeconds + model.hiddenBytes / link.uploadBytesPerSecond,
      leaveHiddenSeconds: leave(model.hiddenBytes),
      leaveLogitsSeconds: leave(model.logitsBytes),
    },
  };
}

/** GPU bytes of whole tensors, each rounded up to the allocation unit. */
export function gpuBytes(tensors: readonly PlaceableTensor[], allocation: Bytes): Bytes {
  return tensors.reduce((sum, tensor) => sum + allocatedBytes(tensor.gpu.bytes, allocation), 0);
}

/** GPU bytes of the rows of `neurons` neurons. */
export function gpuNeuronBytes(ffn: PlaceableFfn, neurons: Neurons, allocation: Bytes): Bytes {
  return tensorsFor(ffn, neurons).reduce(
    (sum, tensor) => sum + allocatedBytes(Math.round(neurons * tensor.gpu.bytes), allocation),
    0,
  );
}

/** The form that a device with so many of its neurons holds. */
export function tensorsFor(ffn: PlaceableFfn, neurons: Neurons): readonly NeuronTensor[] {
  return neurons === ffn.neuronCount ? (ffn.wholeTensors ?? ffn.neuronTensors) : ffn.neuronTensors;
}

interface Devices {
  readonly cpu: CpuProfile;
  readonly gpu: GpuProfile;
  readonly splitSeconds: number;
  readonly allocation: Bytes;
}

/** Stands in for a missing card so that one shape serves; `hasGpu` keeps the solver from using it. */
const withoutGpu: GpuProfile = { name: "none", memoryBytes: 0, readBytesPerSecond: { default: 1 } };

function checkBudget(budget: Bytes, hardware: HardwareProfile): Bytes {
  const option = "vramBudget";
  checkByteSize(budget, option);
  if (hardware.gpu !== null && budget > hardware.gpu.memoryBytes) {
    const memory = formatBytes(hardware.gpu.memoryBytes);
    throw new OptionError(
      option,
      `${formatBytes(budget)} (${budget} bytes)`,
      `at most ${memory} (${hardware.gpu.memoryBytes} bytes), the memory of ${hardware.gpu.name}`,
    );
  }
  return budget;
}

function layerProblem(layer: PlaceableLayer, devices: Devices): LayerProblem {
  const { ffn } = layer;
  const { isWhole = false } = ffn;
  const resident = [...layer.attention, ...layer.kvCache, ...layer.norms];
  const order = neuronsByActivity(ffn.activity, ffn.neuronCount);
  const hotMass = activityMass(ffn.activity, order, groupNeurons);
  const groups = hotMass.length - 1;
  const hotBytes = new Float64Array(groups + 1);
  const ffnSeconds = new Float64Array(groups + 1);
  const time = ffnTime(ffn, devices);
  const mass = hotMass[groups] ?? 0;
  for (let n = 0; n <= groups; n++) {
    const hot = Math.min(n * groupNeurons, ffn.neuronCount);
    const massHot = hotMass[n] ?? 0;
    hotBytes[n] = hotNeuronBytes(ffn, hot, devices.allocation);
    ffnSeconds[n] = time(hot, massHot, ffn.neuronCount - hot, mass - massHot);
  }
  return {
    neuronCount: ffn.neuronCount,
    order,
    residentBytes: gpuBytes([...resident, ...ffn.shared], devices.allocation),
    hotBytes,
    hotMass,
    ffnSeconds,
    residentSeconds: gpuSeconds(resident, devices.gpu) + (devices.gpu.dispatchSeconds ?? 0),
    cpuSeconds:
      cpuSeconds(resident, devices.cpu) +
      (devices.cpu.dispatchSeconds ?? 0) +
      deviceFfnTime(ffn, "cpu", devices)(ffn.neuronCount, mass),
    minimumHotGroups: isWhole ? groups : Math.ceil(minimumHotNeurons(ffn, devices) / groupNeurons),
    isWhole,
  };
}

/**
 * As they are allocated; a whole block in another form is rounded up to the unit of its groups, which costs less than
 * a group and keeps the bytes of all choices multiples of one unit, on which the solver's speed rests.
 */
function hotNeuronBytes(ffn: PlaceableFfn, hot: Neurons, allocation: Bytes): Bytes {
  const bytes = gpuNeuronBytes(ffn, hot, allocation);
  if (hot < ffn.neuronCount || ffn.wholeTensors === undefined) return bytes;
  const unit = gpuNeuronBytes(ffn, groupNeurons, allocation);
  return unit === 0 ? bytes : Math.ceil(bytes / unit) * unit;
}

/** max(T_gpu, T_cpu) + the split's price while any neuron is cold; T_gpu alone when none is. */
function ffnTime(
  ffn: PlaceableFfn,
  devices: Devices,
): (hot: Neurons, massHot: number, cold: Neurons, massCold: number) => number {
  const onGpu = deviceFfnTime(ffn, "gpu", devices);
  const onCpu = deviceFfnTime(ffn, "cpu", devices);
  return (hot, massHot, cold, massCold) => {
    if (cold === 0) return onGpu(hot, massHot);
    return Math.max(onGpu(hot, massHot), onCpu(cold, massCold)) + devices.splitSeconds;
  };
}

/** Seconds of one device for its neurons: sum over tensors of the bytes read / the type's speed. */
function deviceFfnTime(
  ffn: PlaceableFfn,
  device: "gpu" | "cpu",
  devices: Devices,
): (neurons: Neurons, mass: number) => number {
  const profile = devices[device];
  const rates = (tensors: readonly NeuronTensor[]): { neuron: number; activation: number } => {
    const seconds = (read: "always" | "active"): number =>
      tensors
        .filter((tensor) => tensor.read === read)
        .reduce((sum, tensor) => sum + readSeconds(tensor[device], profile), 0);
    return { neuron: seconds("always"), activation: seconds("active") };
  };
  const part = rates(ffn.neuronTensors);
  const whole = ffn.wholeTensors === undefined ? part : rates(ffn.wholeTensors);
  const shared = ffn.shared.reduce((sum, tensor) => sum + readSeconds(tensor[device], profile), 0);
  return (neurons, mass) => {
    if (neurons === 0) return 0;
    const { neuron, activation } = neurons === ffn.neuronCount ? whole : part;
    return neurons * neuron + mass * activation + shared;
  };
}

/**
 * The paper's C_l: the smallest C with C T_gpu + T_sync <= C T_cpu, T the time to read one neuron.
 * A layer that is hot as a whole has no synchronisation, so C_l is never more than all its neurons.
 */
function minimumHotNeurons(ffn: PlaceableFfn, devices: Devices): Neurons {
  const read = (device: "gpu" | "cpu"): number =>
    ffn.neuronTensors.reduce(
      (sum, tensor) => sum + readSeconds(tensor[device], devices[device]),
      0,
    );
  const gain = read("cpu") - read("gpu");
  if (devices.splitSeconds === 0 && gain >= 0) return 0;
  return gain <= 0
    ? ffn.neuronCount
    : Math.min(Math.ceil(devices.splitSeconds / gain), ffn.neuronCount);
}

function gpuSeconds(tensors: readonly PlaceableTensor[], gpu: GpuProfile): number {
  return tensors.reduce((sum, tensor) => sum + readSeconds(tensor.gpu, gpu), 0);
}

function cpuSeconds(tensors: readonly PlaceableTensor[], cpu: CpuProfile): number {
  return tensors.reduce((sum, tensor) => sum + readSeconds(tensor.cpu, cpu), 0);
}

function readSeconds(
  slice: { readonly type: string; readonly bytes: Bytes },
  device: CpuProfile | GpuProfile,
): number {
  return slice.bytes === 0 ? 0 : slice.bytes / readSpeed(device, slice.type);
}
