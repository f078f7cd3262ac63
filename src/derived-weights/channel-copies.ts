/**
 * Copies W^T [in, out] of a layer's matrices, a row for each input channel, so that a product over masked inputs reads
 * only the rows of those that are left. Which matrices there are, which inputs they share, and how a copy is made.
 */
import type { Backend } from "../backends/backend.ts";
import { rowBytes } from "../core/dtype.ts";
import type { Bytes } from "../core/units.ts";
import type { LayerWeights } from "../model/weights.ts";
import type { Weight } from "../ops/op.ts";
import type {
  ChannelMatrix,
  ColumnNorms,
  LayerChannels,
  MatrixToWrite,
} from "../sparsity/sidecar/sidecar.ts";
import { columnNorms } from "./derived-weights.ts";
import { thresholdRowType } from "./transpose-down.ts";

/** The matrices of a layer that read masked inputs, by name; `down` has its rows already. */
export function channelSources({ attention, ffn }: LayerWeights): LayerChannels<Weight> {
  return {
    q: attention.q.weight,
    k: attention.k.weight,
    v: attention.v.weight,
    attentionOutput: attention.output.weight,
    ...(ffn.gate && { gate: ffn.gate }),
    up: ffn.up.weight,
  };
}

/** Those that read the input of a place. */
export const matricesOfPlace: Readonly<Record<keyof ColumnNorms, readonly ChannelMatrix[]>> = {
  attention: ["q", "k", "v"],
  attentionOutput: ["attentionOutput"],
  ffn: ["gate", "up"],
};

export async function layerColumnNorms(weights: LayerWeights): Promise<ColumnNorms> {
  const sources = channelSources(weights);
  const norms = (place: keyof ColumnNorms): Promise<Float32Array> =>
    columnNorms(matricesOfPlace[place].flatMap((matrix) => sources[matrix] ?? []));
  return {
    attention: await norms("attention"),
    attentionOutput: await norms("attentionOutput"),
    ffn: await norms("ffn"),
  };
}

export function channelBytes(weight: Weight): Bytes {
  return weight.columns * rowBytes(thresholdRowType(weight), weight.rows);
}

export function channelCopy(weight: Weight, backend: Backend): Promise<Weight> {
  return backend.transpose(weight, thresholdRowType(weight));
}

/** Made when it is written, so that one matrix at a time is in memory. */
export function channelCopyToWrite(weight: Weight, backend: Backend): MatrixToWrite {
  const shape = { type: thresholdRowType(weight), rows: weight.columns, columns: weight.rows };
  return {
    ...shape,
    data: async function* () {
      const { bytes } = await channelCopy(weight, backend);
      if (bytes.kind === "memory") yield bytes.data;
    },
  };
}
