/** Bytes of a placement per device and item, exactly as they are allocated: the GPU's add up to the plan's. */
import type { Bytes } from "../core/units.ts";
import {
  gpuBytes,
  gpuUnitBytes,
  predictorRowBytes,
  tensorsFor,
  toldBlock,
  unitsOfGroup,
} from "./layer-problem.ts";
import type { PlaceableLayer, PlaceableModel, PlaceableTensor } from "./placeable-model.ts";
import type { PlacementChoice } from "./solution.ts";

/** device -> item -> bytes. Items: attention, kv_cache, norms, ffn_shared, predictors, ffn, output, embedding, scratch. */
export type DeviceMemory = Readonly<Record<string, Readonly<Record<string, Bytes>>>>;

export function memoryOfSelection(model: PlaceableModel, selection: PlacementChoice): DeviceMemory {
  const gpu = new Map<string, Bytes>();
  const cpu = new Map<string, Bytes>([["embedding", model.embeddingBytes]]);
  const allocation = model.gpuAllocationBytes;
  const onGpu = (item: string, tensors: readonly PlaceableTensor[]): void =>
    add(gpu, item, gpuBytes(tensors, allocation));
  const onCpu = (item: string, tensors: readonly PlaceableTensor[]): void =>
    add(cpu, item, cpuBytes(tensors));
  for (const [index, layer] of model.layers.entries()) {
    const { ffn } = layer;
    const hasAttention = index >= selection.firstGpuLayer;
    const hot = Math.min((selection.hotGroups[index] ?? 0) * unitsOfGroup[ffn.unit], ffn.unitCount);
    const cold = ffn.unitCount - hot;
    const place = hasAttention ? onGpu : onCpu;
    for (const [item, tensors] of residentItems(layer)) place(item, tensors);
    if (hasAttention) onGpu("ffn_shared", ffn.shared);
    const predictor = selection.predictsOnGpu?.[index] === true ? ffn.predictor : undefined;
    const block = predictor === undefined ? ffn : toldBlock(ffn, predictor);
    if (predictor !== undefined)
      add(gpu, "predictors", predictorRowBytes(ffn, predictor, allocation));
    if (cold > 0) onCpu("ffn_shared", block.shared);
    add(gpu, "ffn", gpuUnitBytes(block, hot, allocation));
    add(cpu, "ffn", Math.round(cold * cpuBytes(tensorsFor(block, cold))));
  }
  (selection.outputOnGpu ? onGpu : onCpu)("output", model.output);
  const usesGpu = selection.outputOnGpu || selection.firstGpuLayer < model.layers.length;
  if (usesGpu) add(gpu, "scratch", model.gpuScratchBytes);
  return { gpu0: Object.fromEntries(gpu), cpu: Object.fromEntries(cpu) };
}

function residentItems(
  layer: PlaceableLayer,
): readonly (readonly [string, readonly PlaceableTensor[]])[] {
  return [
    ["attention", layer.attention],
    ["kv_cache", layer.kvCache],
    ["norms", layer.norms],
  ];
}

function cpuBytes(tensors: readonly PlaceableTensor[]): Bytes {
  return tensors.reduce((sum, tensor) => sum + tensor.cpu.bytes, 0);
}

function add(items: Map<string, Bytes>, item: string, bytes: Bytes): void {
  if (bytes > 0) items.set(item, (items.get(item) ?? 0) + bytes);
}
