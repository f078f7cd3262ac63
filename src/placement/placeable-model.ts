/**
 * What the planner needs to know about a model: the bytes of its parts on each device, and which are read per token.
 * Pure numbers; the runtime fills it from a GGUF file, a context length and a sparsity method.
 */
import type { Bytes } from "../core/units.ts";

/** Bytes of one tensor in the form that a device holds it. `type` names a line of the hardware profile's speeds. */
interface WeightSlice {
  readonly type: string;
  readonly bytes: Bytes;
}

/** One tensor on either device; the two forms may differ (a repacked or transposed copy). */
export interface PlaceableTensor {
  readonly gpu: WeightSlice;
  readonly cpu: WeightSlice;
}

/** What is placed as one: a neuron of a block, or an expert of a mixture. */
export type PlacementUnit = "neuron" | "expert";

/** The part of a tensor that belongs to units: `bytes` are of one unit, a fraction where blocks lie across neurons. */
export interface UnitTensor extends PlaceableTensor {
  /** "always": read for every unit and token (a dense FFN, the gate of exact gating, predictor rows). */
  readonly read: "always" | "active";
}

/**
 * How often units are active: one frequency for all, or one for each, in [0, 1]. `selected`: neurons that the method
 * computes for each that is active, as its predictors were measured; 1 when left out.
 */
export type Activity = (
  | { readonly kind: "uniform"; readonly frequency: number }
  | { readonly kind: "profile"; readonly frequencies: Float64Array }
) & { readonly selected?: number };

/** What of a layer may be shared between devices: the neurons of its block, or the experts that its router chooses from. */
export interface PlaceableFfn {
  readonly unit: PlacementUnit;
  readonly unitCount: number;
  /** What an active unit counts among activations, which are of neurons. Default 1. */
  readonly neuronsOfUnit?: number;
  readonly unitTensors: readonly UnitTensor[];
  /** All on one device: what is done to a neuron depends on the others. */
  readonly isWhole?: boolean;
  /** Their form on a device that has all units, where it differs: then nothing must be transposed. */
  readonly wholeTensors?: readonly UnitTensor[];
  /** Needed whole by each device that has units (fc1 of a predictor, the FFN's biases); read once per token. */
  readonly shared: readonly PlaceableTensor[];
  readonly activity: Activity;
  /** Of a method that predicts: its part of the tensors above, as one device that predicts for all neurons holds it. */
  readonly predictor?: PlaceablePredictor;
}

export interface PlaceablePredictor {
  /** Rows of one neuron: each is one of `unitTensors`. */
  readonly unitTensors: readonly UnitTensor[];
  /** Needed by whoever predicts: each is one of `shared`. */
  readonly shared: readonly PlaceableTensor[];
  /** What a device that is told its active neurons holds for each of its own beside the weights: their ids. */
  readonly idBytes: Bytes;
  /** Of the active set of a row, as it crosses. */
  readonly setBytes: Bytes;
}

export interface PlaceableLayer {
  /** Attention weights, and of a mixture router and shared experts: read once per token. */
  readonly attention: readonly PlaceableTensor[];
  /** Keys and values of the whole context: that many bytes are held, and read per token when it is full. */
  readonly kvCache: readonly PlaceableTensor[];
  readonly norms: readonly PlaceableTensor[];
  readonly ffn: PlaceableFfn;
}

export interface PlaceableModel {
  readonly layers: readonly PlaceableLayer[];
  /** Output norm and head, read once per token. */
  readonly output: readonly PlaceableTensor[];
  /** The embedding table stays on the CPU: one row is read per token. */
  readonly embeddingBytes: Bytes;
  /** Buffers the GPU needs as soon as it does anything: activations, logits, staging. */
  readonly gpuScratchBytes: Bytes;
  /** Everything on the GPU, exactly as allocated: less than the sum of the parts, whose scratch is of any placement. */
  readonly gpuEverythingBytes: Bytes;
  /** One row of the residual stream, and one of logits, as copied between the devices. */
  readonly hiddenBytes: Bytes;
  readonly logitsBytes: Bytes;
  /** Answers that a step goes on with, each with a cache of its own; 1 when left out. */
  readonly rows?: number;
  /** Kernel calls of a split layer on the GPU, as a ratio to those of a whole one: predicting for its own, or for all. */
  readonly dispatches?: { readonly split: number; readonly predicting: number };
  /** Every GPU tensor takes a multiple of this many bytes. */
  readonly gpuAllocationBytes: Bytes;
}

/** Bytes that a GPU tensor of `bytes` takes: rounded up, never down. */
export function allocatedBytes(bytes: Bytes, allocation: Bytes): Bytes {
  return Math.ceil(bytes / allocation) * allocation;
}
