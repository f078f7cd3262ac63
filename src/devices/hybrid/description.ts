/**
 * What the planner must know of a program: true bytes of its parts on each device, and which are read per token.
 * Bytes on the GPU are those of the backend's own layout; buffers that hold neither weights nor the cache are the rest of what it allocates.
 */

import { kvBufferBytes } from "../../backends/webgpu/kernels/kv.ts";
import type { BindingLimits } from "../../backends/webgpu/recording-buffers.ts";
import { estimateGpuUse, type GpuUse } from "../../backends/webgpu/webgpu-backend.ts";
import { rowLayout } from "../../backends/webgpu/weight-layout.ts";
import { rowBytes, weightBytes } from "../../core/dtype.ts";
import type { Bytes, Neurons } from "../../core/units.ts";
import { activeWidth } from "../../ops/active-bits.ts";
import { isIndivisible } from "../../ops/ffn-block.ts";
import { type KvShape, layerStateBytes, recurrentLayer, requireCells } from "../../ops/kv-shape.ts";
import type { FfnBlock, Op, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { cacheLayersOf, weightsOfOp } from "../../ops/program-ops.ts";
import {
  gpuBytes,
  gpuNeuronBytes,
  predictorRowBytes,
  toldBlock,
} from "../../placement/layer-problem.ts";
import type {
  Activity,
  NeuronTensor,
  PlaceableFfn,
  PlaceableLayer,
  PlaceableModel,
  PlaceablePredictor,
  PlaceableTensor,
} from "../../placement/placeable-model.ts";
import { cpuDevice, gpuDevice } from "../../placement/plan.ts";
import { partitionProgram } from "./partition.ts";
import type { Placement } from "./placement.ts";

/** Every buffer of the GPU backend is a multiple of this. */
const gpuAllocation: Bytes = 16;

export interface DescriptionRequest {
  /** Every layer must be able to be split: down projections are rows. */
  readonly program: Program;
  /** The same model with its blocks as they are where no layer is split. */
  readonly unsplit: Program;
  readonly activity: (layer: number, neurons: Neurons) => Activity;
  readonly limits: BindingLimits;
}

export function describeProgram(request: DescriptionRequest): PlaceableModel {
  const { program, unsplit } = request;
  const [segment] = program.segments;
  const ranges = segment?.layers ?? [];
  const ops = segment?.ops ?? [];
  const blocks = unsplit.segments[0]?.ops.filter((op) => op.kind === "ffn") ?? [];
  const caches = ranges.map(({ first, end }) => cacheLayersOf(ops.slice(first, end)));
  const layers = ranges.map(({ first, end }, layer) =>
    describeLayer(ops.slice(first, end), {
      layer,
      program,
      caches,
      whole: blocks[layer]?.block,
      activity: request.activity,
    }),
  );
  const output = ops
    .slice(ranges.at(-1)?.end ?? 0)
    .flatMap(weightsOfOp)
    .map(placeable);
  const embedding = ops.slice(0, ranges[0]?.first ?? 0).flatMap(weightsOfOp);
  const dim = ops.find((op) => op.kind === "embed")?.out.width ?? 0;
  const described: Omit<PlaceableModel, "gpuScratchBytes" | "gpuEverythingBytes"> = {
    layers,
    output,
    embeddingBytes: embedding.reduce((sum, weight) => sum + weightBytes(weight), 0),
    hiddenBytes: dim * 4,
    logitsBytes: (program.slots.find(({ name }) => name === "logits")?.width ?? 0) * 4,
    gpuAllocationBytes: gpuAllocation,
    rows: program.kv.sequences,
  };
  return { ...described, ...measurePlacements(request, described) };
}

/** Bytes that a placement of the program takes on the GPU, exactly. */
export function placedBytes(program: Program, placement: Placement, limits: BindingLimits): Bytes {
  return placedUse(program, placement, limits).bytes;
}

function placedUse(program: Program, placement: Placement, limits: BindingLimits): GpuUse {
  const gpu = partitionProgram(program, placement).programs.get(gpuDevice);
  return gpu === undefined ? { bytes: 0, calls: 0 } : estimateGpuUse(gpu, limits);
}

function everythingOnGpu(layers: readonly PlaceableLayer[]): Placement {
  return {
    outputDevice: gpuDevice,
    layers: layers.map(({ ffn: { neuronCount } }) => ({
      neuronCount,
      attentionDevice: gpuDevice,
      parts: [
        { device: gpuDevice, neurons: Uint32Array.from({ length: neuronCount }, (_, id) => id) },
      ],
    })),
  };
}

/** Who predicts in a split layer. */
type Predicting = "own" | "gpu";

/** All layers split, almost all neurons hot: no placement needs more buffers beside its weights. */
function almostHot(layers: readonly PlaceableLayer[], predicting: Predicting): Placement {
  return {
    outputDevice: gpuDevice,
    layers: layers.map(({ ffn }) => {
      const { neuronCount } = ffn;
      const ids = Uint32Array.from({ length: neuronCount }, (_, id) => id);
      const cold = coldOf(ffn);
      return {
        neuronCount,
        attentionDevice: gpuDevice,
        ...(predicting === "gpu" && { predictorDevice: gpuDevice }),
        parts: [
          { device: gpuDevice, neurons: ids.subarray(cold) },
          { device: cpuDevice, neurons: ids.subarray(0, cold) },
        ],
      };
    }),
  };
}

function coldOf(ffn: PlaceableFfn): Neurons {
  return ffn.isWhole === true ? 0 : 1;
}

/** What such a placement takes besides weights and cache. */
function scratchBytes(
  placed: Bytes,
  { layers, output }: Pick<PlaceableModel, "layers" | "output">,
  predicting: Predicting,
): Bytes {
  const counted = layers.reduce(
    (sum, { attention, kvCache, norms, ffn }) => {
      const resident = [...attention, ...kvCache, ...norms, ...ffn.shared];
      const predictor = predicting === "gpu" ? ffn.predictor : undefined;
      const block = predictor === undefined ? ffn : toldBlock(ffn, predictor);
      const rows = predictor === undefined ? 0 : predictorRowBytes(ffn, predictor, gpuAllocation);
      const hot = gpuNeuronBytes(block, ffn.neuronCount - coldOf(ffn), gpuAllocation);
      return sum + gpuBytes(resident, gpuAllocation) + hot + rows;
    },
    gpuBytes(output, gpuAllocation),
  );
  return Math.max(0, placed - counted);
}

/** Bytes and kernel calls of placements with all layers on the GPU: whole, and split in each way that there is. */
function measurePlacements(
  { program, unsplit, limits }: DescriptionRequest,
  described: Pick<PlaceableModel, "layers" | "output">,
): Pick<PlaceableModel, "gpuScratchBytes" | "gpuEverythingBytes" | "dispatches"> {
  const { layers } = described;
  const whole = placedUse(unsplit, everythingOnGpu(layers), limits);
  const split = (predicting: Predicting): GpuUse & { readonly scratch: Bytes } => {
    const use = placedUse(program, almostHot(layers, predicting), limits);
    return { ...use, scratch: scratchBytes(use.bytes, described, predicting) };
  };
  const own = split("own");
  const predicts = layers.some(({ ffn }) => ffn.predictor !== undefined);
  const predicting = predicts ? split("gpu") : own;
  const ratio = (use: GpuUse): number => (whole.calls === 0 ? 1 : use.calls / whole.calls);
  return {
    gpuScratchBytes: Math.max(own.scratch, predicting.scratch),
    gpuEverythingBytes: whole.bytes,
    dispatches: { split: ratio(own), predicting: ratio(predicting) },
  };
}

function describeLayer(
  ops: readonly Op[],
  of: {
    readonly layer: number;
    readonly program: Program;
    /** By layer: those of the cache that it uses. */
    readonly caches: readonly (readonly number[])[];
    readonly whole: FfnBlock | undefined;
    readonly activity: DescriptionRequest["activity"];
  },
): PlaceableLayer {
  const ffn = ops.find((op) => op.kind === "ffn");
  if (ffn === undefined) throw new RangeError(`layer ${of.layer} has no feed-forward block`);
  const norms = ops.filter((op) => op.kind === "norm");
  const rest = ops.filter((op) => op.kind !== "norm" && op.kind !== "ffn");
  return {
    attention: rest.flatMap(weightsOfOp).map(placeable),
    kvCache: cacheLayersOf(ops).flatMap((cache) => heldAt(cache, of)),
    norms: norms.flatMap(weightsOfOp).map(placeable),
    ffn: describeFfn(ffn.block, of.whole, of.activity(of.layer, ffn.block.neurons)),
  };
}

/**
 * A cache that several layers read is held once on each device that has one of them. The GPU has the last layers: it holds
 * the cache if it has the last of them, the CPU if it has the first.
 */
function heldAt(
  cache: number,
  of: {
    readonly layer: number;
    readonly program: Program;
    readonly caches: readonly (readonly number[])[];
  },
): readonly PlaceableTensor[] {
  const uses = (used: readonly number[]): boolean => used.includes(cache);
  const isFirst = of.caches.findIndex(uses) === of.layer;
  const isLast = of.caches.findLastIndex(uses) === of.layer;
  return cacheTensors(of.program.kv, cache).map(({ gpu, cpu }) => ({
    gpu: { ...gpu, bytes: isLast ? gpu.bytes : 0 },
    cpu: { ...cpu, bytes: isFirst ? cpu.bytes : 0 },
  }));
}

/** Keys, then values; or the states of fixed size. */
function cacheTensors(kv: KvShape, layer: number): readonly PlaceableTensor[] {
  const own = layerStateBytes(kv, layer);
  if (recurrentLayer(kv, layer) !== undefined) return [plain(own.state)];
  const type = kv.type.toUpperCase();
  const cells = requireCells(kv, layer);
  return (["keys", "values"] as const).map((of) => ({
    gpu: { type, bytes: kvBufferBytes(cells, of) },
    cpu: { type, bytes: own[of] },
  }));
}

function describeFfn(
  block: FfnBlock,
  whole: FfnBlock | undefined,
  activity: Activity,
): PlaceableFfn {
  const { tensors, shared, predictor } = tensorsOf(block);
  const described = {
    neuronCount: block.neurons,
    neuronTensors: tensors,
    shared,
    activity,
    ...(predictor && { predictor }),
    ...(isIndivisible(block) && { isWhole: true }),
  };
  return whole === undefined || whole.down.layout === block.down.layout
    ? described
    : { ...described, wholeTensors: tensorsOf(whole).tensors };
}

function tensorsOf(block: FfnBlock): Pick<PlaceableFfn, "shared" | "predictor"> & {
  readonly tensors: readonly NeuronTensor[];
} {
  const { gate, gateBias, up, upBias, down, downBias, hiddenNorm, method, neurons } = block;
  const read = readsOf(block);
  const tensors: NeuronTensor[] = [
    ...(gate === undefined ? [] : [neuronTensor(gate, read.gate)]),
    neuronTensor(up, read.up),
    down.layout === "rows"
      ? neuronTensor(down.weight, read.down)
      : columnTensor(down.weight, read.down),
  ];
  if (gateBias !== undefined) tensors.push({ ...plain(4), read: read.gate });
  if (upBias !== undefined) tensors.push({ ...plain(4), read: read.up });
  const vectors = [downBias, hiddenNorm?.weight].filter((vector) => vector !== undefined);
  const shared: PlaceableTensor[] = vectors.map(placeable);
  switch (method.kind) {
    case "dense":
    case "gate":
    case "threshold-gate":
    case "given":
      break;
    case "mlp": {
      const fc2 = neuronTensor(method.fc2, "always");
      const own = { neuronTensors: [fc2], shared: [placeable(method.fc1)] };
      return withPredictor(block, { tensors, shared }, own);
    }
    case "sign": {
      const { signs, margins, centre } = method;
      const rows = [plain(signs.length / neurons), ...(margins === undefined ? [] : [plain(4)])];
      const neuronTensors = rows.map((row): NeuronTensor => ({ ...row, read: "always" }));
      const own = { neuronTensors, shared: centre === undefined ? [] : [plain(centre.byteLength)] };
      return withPredictor(block, { tensors, shared }, own);
    }
    case "threshold-output":
      tensors.push({ ...plain(4), read: "always" });
      break;
    default:
      return method satisfies never;
  }
  return { tensors, shared };
}

/** Adds a predictor's rows and what it shares to those of the block. */
function withPredictor(
  block: FfnBlock,
  { tensors, shared }: { tensors: NeuronTensor[]; shared: PlaceableTensor[] },
  own: Pick<PlaceablePredictor, "neuronTensors" | "shared">,
): ReturnType<typeof tensorsOf> {
  const predictor = { ...own, idBytes: 4, setBytes: 4 * activeWidth(block.neurons) };
  return {
    tensors: [...tensors, ...own.neuronTensors],
    shared: [...shared, ...own.shared],
    predictor,
  };
}

type Read = NeuronTensor["read"];

/** Which rows a method reads whether or not the neuron is active. */
function readsOf({ method, gate }: FfnBlock): {
  readonly gate: Read;
  readonly up: Read;
  readonly down: Read;
} {
  switch (method.kind) {
    case "dense":
      return { gate: "always", up: "always", down: "always" };
    case "gate":
    case "threshold-gate":
      return { gate: "always", up: gate === undefined ? "always" : "active", down: "active" };
    case "threshold-output":
      return { gate: "always", up: "always", down: "active" };
    case "mlp":
    case "sign":
    case "given":
      return { gate: "active", up: "active", down: "active" };
    default:
      return method satisfies never;
  }
}

/** A matrix of which each neuron has one row. */
function neuronTensor(weight: Weight, read: Read): NeuronTensor {
  const { type, columns } = weight;
  const gpu = { type, bytes: rowLayout(type, columns).gpuBytes };
  return { gpu, cpu: { type, bytes: rowBytes(type, columns) }, read };
}

/** A matrix of which each neuron has one column: its share, as only whole ones are held. */
function columnTensor(weight: Weight, read: Read): NeuronTensor {
  const { type, rows, columns } = weight;
  const gpu = { type, bytes: (rows * rowLayout(type, columns).gpuBytes) / columns };
  return { gpu, cpu: { type, bytes: (rows * rowBytes(type, columns)) / columns }, read };
}

/** Vectors are f32 on the GPU, matrices keep their type. */
function placeable(weight: Weight): PlaceableTensor {
  const { type, rows, columns } = weight;
  const cpu = { type, bytes: weightBytes(weight) };
  if (rows === 1) return { gpu: { type: "F32", bytes: columns * 4 }, cpu };
  return { gpu: { type, bytes: rows * rowLayout(type, columns).gpuBytes }, cpu };
}

function plain(bytes: Bytes): PlaceableTensor {
  const slice = { type: "F32", bytes };
  return { gpu: slice, cpu: slice };
}
