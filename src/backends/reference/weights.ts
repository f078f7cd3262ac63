/**
 * Weights of a program as f32 arrays, made once at compile. A weight used twice (tied embeddings) is loaded once.
 * Nothing is mapped: the reference trades memory (4 bytes an element) for plain code.
 */
import { weightBytes } from "../../core/dtype.ts";
import { ShapeError } from "../../core/errors.ts";
import { requireFree } from "../../core/memory.ts";
import { readTensorBytes } from "../../io/tensor-bytes.ts";
import type { Weight } from "../../ops/op.ts";
import { quantCodec } from "../../quant/codecs.ts";
import type { CompileOptions } from "../backend.ts";
import type { Pacer } from "./pacer.ts";

/** @throws LimitError when the f32 copies exceed the machine's memory; ShapeError for a weight of a wrong length. */
export async function loadWeights(
  weights: readonly Weight[],
  options: CompileOptions,
  pacer: Pacer,
): Promise<ReadonlyMap<Weight, Float32Array>> {
  const total = weights.reduce((sum, weight) => sum + weightBytes(weight), 0);
  checkMemory(weights);
  const loaded = new Map<Weight, Float32Array>();
  const byPlace = new Map<unknown, Float32Array>();
  let done = 0;
  for (const weight of weights) {
    options.signal?.throwIfAborted();
    const place = placeOf(weight);
    const data = byPlace.get(place) ?? (await dequantise(weight, pacer));
    byPlace.set(place, data);
    loaded.set(weight, data);
    done += weightBytes(weight);
    options.onProgress?.({ done, total });
  }
  return loaded;
}

/** Equal for weights that are the same bytes read as the same matrix. */
function placeOf(weight: Weight): unknown {
  const { bytes } = weight;
  if (bytes.kind === "memory") return bytes.data;
  return `${bytes.path}@${bytes.offset}:${weight.type}:${weight.rows}x${weight.columns}`;
}

function checkMemory(weights: readonly Weight[]): void {
  const places = new Map(weights.map((weight) => [placeOf(weight), weight]));
  let needed = 0;
  for (const weight of places.values()) needed += 4 * weight.rows * weight.columns;
  requireFree(needed, "weights as f32 on the reference backend", "use another backend");
}

/** Elements dequantised between two looks at the clock: about a millisecond. */
const pieceElements = 1 << 18;

async function dequantise(weight: Weight, pacer: Pacer): Promise<Float32Array> {
  const codec = quantCodec(weight.type);
  const { bytes } = weight;
  const source = bytes.kind === "memory" ? bytes.data : readTensorBytes(bytes);
  const elements = weight.rows * weight.columns;
  if (weight.columns % codec.blockElements !== 0 || source.length !== weightBytes(weight)) {
    throw new ShapeError(
      `weight ${weight.name}`,
      `${weight.rows} rows of ${weight.columns} ${weight.type} elements in whole blocks, ${weightBytes(weight)} bytes`,
      `${source.length} bytes`,
    );
  }
  const data = new Float32Array(elements);
  const blocks = elements / codec.blockElements;
  const step = Math.ceil(pieceElements / codec.blockElements);
  for (let first = 0; first < blocks; first += step) {
    const count = Math.min(step, blocks - first);
    const from = first * codec.blockBytes;
    codec.dequantise(source, from, data, first * codec.blockElements, count);
    if (pacer.isDue()) await pacer.pause();
  }
  return data;
}
