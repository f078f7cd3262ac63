/**
 * Copies W^T [in, out] of a layer's matrices, a row for each input channel, so that a product over masked inputs reads
 * only the rows of those that are left. Which matrices there are, which inputs they share, and how a copy is made.
 */
import type { Model } from "../model/model.ts";
import { type LayerWeights, requireBlock } from "../model/weights.ts";
import type { Weight } from "../ops/op.ts";
import {
  type ChannelMatrix,
  type ColumnNorms,
  channelMatrices,
  type LayerChannels,
  type MatrixToWrite,
  type Sidecar,
} from "../sparsity/sidecar/sidecar.ts";
import { columnNorms } from "./derived-weights.ts";
import { type Transpose, type TransposeWork, transposeAll } from "./transpose.ts";
import { thresholdRowType } from "./transpose-down.ts";

/** The matrices of a layer that read masked inputs, by name; `down` has its rows already. */
export function channelSources(layer: LayerWeights): LayerChannels<Weight> {
  const { attention } = layer;
  const { gate, up } = requireBlock(layer);
  return {
    ...mixerSources(attention),
    attentionOutput: attention.output.weight,
    ...(gate && { gate }),
    up: up.weight,
  };
}

/** Of attention, but its output. Those for the decay and the strength of a delta net are small, and have no copies. */
export function mixerSources(weights: LayerWeights["attention"]): LayerChannels<Weight> {
  switch (weights.kind) {
    case "attention":
      return {
        q: weights.q.weight,
        ...(weights.k && { k: weights.k.weight }),
        ...(weights.v && { v: weights.v.weight }),
      };
    case "delta-net":
      return { qkv: weights.qkv.weight, outputGate: weights.gate.weight };
    default:
      return weights satisfies never;
  }
}

/** Those that read the input of a place. */
export const matricesOfPlace: Readonly<Record<keyof ColumnNorms, readonly ChannelMatrix[]>> = {
  attention: ["q", "k", "v", "qkv", "outputGate"],
  attentionOutput: ["attentionOutput"],
  ffn: ["gate", "up"],
};

async function layerColumnNorms(weights: LayerWeights): Promise<ColumnNorms> {
  const sources = channelSources(weights);
  const norms = (place: keyof ColumnNorms): Promise<Float32Array> =>
    columnNorms(matricesOfPlace[place].flatMap((matrix) => sources[matrix] ?? []));
  return {
    attention: await norms("attention"),
    attentionOutput: await norms("attentionOutput"),
    ffn: await norms("ffn"),
  };
}

/** By layer: the sidecar's, else made from the weights. */
export async function columnNormsOf(
  model: Model,
  sidecar: Sidecar | undefined,
): Promise<readonly ColumnNorms[]> {
  if (sidecar?.columnNorms !== undefined) return sidecar.columnNorms;
  const norms: ColumnNorms[] = [];
  for (const weights of model.layers) norms.push(await layerColumnNorms(weights));
  return norms;
}

/** By layer, copies of the matrices in `names`: the sidecar's, else made now. @throws LimitError as transposeAll. */
export async function channelCopiesOf(
  model: Model,
  names: readonly ChannelMatrix[],
  from: Omit<TransposeWork, "rowType"> & { readonly sidecar: Sidecar | undefined },
): Promise<{
  readonly layers: readonly LayerChannels<Weight>[];
  /** What was made at load. */
  readonly details: readonly string[];
}> {
  const { sidecar } = from;
  const missing = model.layers.flatMap((weights, layer) =>
    missingCopies(weights, { kept: sidecar?.channels[layer], names }).map((copy) => ({
      ...copy,
      layer,
    })),
  );
  const { weights, details } = await transposeAll(
    missing.map(({ source }) => source),
    { ...from, rowType: thresholdRowType },
    {
      what: "copies of the matrices for sparsity threshold",
      made: `${missing.length} matrices were copied at load with a row for each input`,
    },
  );
  const layers = model.layers.map((_, layer): LayerChannels<Weight> => {
    const made = missing.flatMap(({ name, layer: own }, i) =>
      own === layer ? [[name, weights[i]] as const] : [],
    );
    return { ...sidecar?.channels[layer], ...Object.fromEntries(made) };
  });
  return { layers, details };
}

/** Copies that `sidecar` lacks. Each is made when it is written, so that one matrix at a time is in memory. */
export function channelCopiesToWrite(
  model: Model,
  sidecar: Sidecar | undefined,
  transpose: Transpose,
): ReadonlyMap<number, LayerChannels<MatrixToWrite>> {
  return new Map(
    model.layers.map((weights, layer) => {
      const kept = sidecar?.channels[layer];
      const missing = missingCopies(weights, { kept, names: channelMatrices });
      const copies = missing.map(({ name, source }) => [name, copyToWrite(source, transpose)]);
      return [layer, Object.fromEntries(copies)];
    }),
  );
}

function missingCopies(
  weights: LayerWeights,
  {
    kept,
    names,
  }: {
    readonly kept: LayerChannels<unknown> | undefined;
    readonly names: readonly ChannelMatrix[];
  },
): readonly { readonly name: ChannelMatrix; readonly source: Weight }[] {
  const sources = channelSources(weights);
  return names.flatMap((name) => {
    const source = sources[name];
    return source === undefined || kept?.[name] ? [] : [{ name, source }];
  });
}

function copyToWrite(weight: Weight, transpose: Transpose): MatrixToWrite {
  const type = thresholdRowType(weight);
  return {
    type,
    rows: weight.columns,
    columns: weight.rows,
    data: async function* () {
      const { bytes } = await transpose(weight, type);
      if (bytes.kind === "memory") yield bytes.data;
    },
  };
}
