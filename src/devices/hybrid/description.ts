/**
 * What the planner must know of a program: true bytes of its parts on each device, and which are read per token.
 * Bytes on the GPU are those of the backend's own layout; buffers that hold neither weights nor the cache are the rest of what it allocates.
 */

import { kvBufferBytes } from "../../backends/webgpu/kernels/kv.ts";
import type { BindingLimits } from "../../backends/webgpu/recording-buffers.ts";
import { estimateGpuUse, type GpuUse } from "../../backends/webgpu/webgpu-backend.ts";
import { weightBytes } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";
import { type KvShape, layerStateBytes, recurrentLayer, requireCells } from "../../ops/kv-shape.ts";
import type { Op } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { cacheLayersOf, weightsOfOp } from "../../ops/program-ops.ts";
import {
  gpuBytes,
  gpuUnitBytes,
  predictorRowBytes,
  toldBlock,
} from "../../placement/layer-problem.ts";
import type {
  Activity,
  PlaceableFfn,
  PlaceableLayer,
  PlaceableModel,
  PlaceableTensor,
} from "../../placement/placeable-model.ts";
import { cpuDevice, gpuDevice } from "../../placement/plan.ts";
import { describeUnits, placeable, plain } from "./describe-units.ts";
import { partitionProgram } from "./partition.ts";
import { type PlacedOp, placedOps } from "./placed-op.ts";
import type { Placement } from "./placement.ts";

/** Every buffer of the GPU backend is a multiple of this. */
const gpuAllocation: Bytes = 16;

export interface DescriptionRequest {
  /** Every layer must be able to be split: down projections are rows. */
  readonly program: Program;
  /** The same model with its blocks as they are where no layer is split. */
  readonly unsplit: Program;
  readonly activity: (layer: number, op: PlacedOp) => Activity;
  readonly limits: BindingLimits;
  /** Whether there must be room for prompts that stream. Default false. */
  readonly streamPath?: boolean;
}

export function describeProgram(request: DescriptionRequest): PlaceableModel {
  const { program, unsplit } = request;
  const [segment] = program.segments;
  const ranges = segment?.layers ?? [];
  const ops = segment?.ops ?? [];
  const placed = placedOps(ops);
  const whole = placedOps(unsplit.segments[0]?.ops ?? []);
  const caches = ranges.map(({ first, end }) => cacheLayersOf(ops.slice(first, end)));
  const layers = ranges.map(({ first, end }, layer) =>
    describeLayer(ops.slice(first, end), {
      layer,
      program,
      caches,
      placed: placed.get(layer),
      whole: whole.get(layer),
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

/** How a program is placed, beside where. */
type Placing = Pick<DescriptionRequest, "limits" | "streamPath">;

/** Bytes that a placement of the program takes on the GPU, exactly. */
export function placedBytes(program: Program, placement: Placement, placing: Placing): Bytes {
  return placedUse(program, placement, placing).bytes;
}

function placedUse(
  program: Program,
  placement: Placement,
  { limits, streamPath = false }: Placing,
): GpuUse {
  const gpu = partitionProgram(program, placement, { streamPath }).programs.get(gpuDevice);
  return gpu === undefined ? { bytes: 0, calls: 0 } : estimateGpuUse(gpu, limits);
}

function everythingOnGpu(layers: readonly PlaceableLayer[]): Placement {
  return {
    outputDevice: gpuDevice,
    layers: layers.map(({ ffn: { unit, unitCount } }) => ({
      unit,
      unitCount,
      attentionDevice: gpuDevice,
      parts: [{ device: gpuDevice, units: Uint32Array.from({ length: unitCount }, (_, id) => id) }],
    })),
  };
}

/** Who predicts in a split layer. */
type Predicting = "own" | "gpu";

/** All layers split, almost all units hot: no placement needs more buffers beside its weights. */
function almostHot(layers: readonly PlaceableLayer[], predicting: Predicting): Placement {
  return {
    outputDevice: gpuDevice,
    layers: layers.map(({ ffn }) => {
      const { unit, unitCount } = ffn;
      const ids = Uint32Array.from({ length: unitCount }, (_, id) => id);
      const cold = coldOf(ffn);
      return {
        unit,
        unitCount,
        attentionDevice: gpuDevice,
        ...(predicting === "gpu" && { predictorDevice: gpuDevice }),
        parts: [
          { device: gpuDevice, units: ids.subarray(cold) },
          { device: cpuDevice, units: ids.subarray(0, cold) },
        ],
      };
    }),
  };
}

function coldOf(ffn: PlaceableFfn): number {
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
      const hot = gpuUnitBytes(block, ffn.unitCount - coldOf(ffn), gpuAllocation);
      return sum + gpuBytes(resident, gpuAllocation) + hot + rows;
    },
    gpuBytes(output, gpuAllocation),
  );
  return Math.max(0, placed - counted);
}

/** Bytes and kernel calls of placements with all layers on the GPU: whole, and split in each way that there is. */
function measurePlacements(
  { program, unsplit, ...placing }: DescriptionRequest,
  described: Pick<PlaceableModel, "layers" | "output">,
): Pick<PlaceableModel, "gpuScratchBytes" | "gpuEverythingBytes" | "dispatches"> {
  const { layers } = described;
  const { limits, streamPath = false } = placing;
  const whole = placedUse(unsplit, everythingOnGpu(layers), { limits });
  const split = (predicting: Predicting): GpuUse & { readonly scratch: Bytes } => {
    const use = placedUse(program, almostHot(layers, predicting), { limits });
    return { ...use, scratch: scratchBytes(use.bytes, described, predicting) };
  };
  const own = split("own");
  const predicts = layers.some(({ ffn }) => ffn.predictor !== undefined);
  const predicting = predicts ? split("gpu") : own;
  const ratio = (use: GpuUse): number => (whole.calls === 0 ? 1 : use.calls / whole.calls);
  const streaming = streamPath ? streamBytes(program, layers, limits) : 0;
  return {
    gpuScratchBytes: Math.max(own.scratch, predicting.scratch) + streaming,
    gpuEverythingBytes: whole.bytes,
    dispatches: { split: ratio(own), predicting: ratio(predicting) },
  };
}

/** What prompts that stream take besides: windows, and what is remembered of each row. No placement takes more than the coldest. */
function streamBytes(
  program: Program,
  layers: readonly PlaceableLayer[],
  limits: BindingLimits,
): Bytes {
  const cold: Placement = {
    ...everythingOnGpu(layers),
    layers: everythingOnGpu(layers).layers.map((layer) => ({
      ...layer,
      parts: layer.parts.map(({ units }) => ({ device: cpuDevice, units })),
    })),
  };
  const bytes = (streamPath: boolean): Bytes => placedBytes(program, cold, { limits, streamPath });
  return bytes(true) - bytes(false);
}

function describeLayer(
  ops: readonly Op[],
  of: {
    readonly layer: number;
    readonly program: Program;
    /** By layer: those of the cache that it uses. */
    readonly caches: readonly (readonly number[])[];
    readonly placed: PlacedOp | undefined;
    /** Where no layer is split. */
    readonly whole: PlacedOp | undefined;
    readonly activity: DescriptionRequest["activity"];
  },
): PlaceableLayer {
  const { layer, placed, whole, activity } = of;
  if (placed === undefined) throw new RangeError(`layer ${layer} has no feed-forward block`);
  const norms = ops.filter((op) => op.kind === "norm");
  const rest = ops.filter((op) => op.kind !== "norm" && op !== placed);
  return {
    attention: rest.flatMap(weightsOfOp).map(placeable),
    kvCache: cacheLayersOf(ops).flatMap((cache) => heldAt(cache, of)),
    norms: norms.flatMap(weightsOfOp).map(placeable),
    ffn: describeUnits(placed, whole, activity(layer, placed)),
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
