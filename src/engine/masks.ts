/**
 * Thresholds on input magnitude as the program takes them: masks for each layer, with the copies by which a backend
 * reads only what they leave. Copies come from the sidecar or are made at load, which is said.
 */
import {
  channelCopiesOf,
  columnNormsOf,
  matricesOfPlace,
} from "../derived-weights/channel-copies.ts";
import type { Transpose } from "../derived-weights/transpose.ts";
import type { LayerMasks } from "../model/layer-masks.ts";
import type { Model } from "../model/model.ts";
import type { Weight } from "../ops/op.ts";
import {
  type ChannelMatrix,
  type ColumnNorms,
  columnPlaces,
  type InputThresholds,
  type LayerChannels,
  type Sidecar,
} from "../sparsity/sidecar/sidecar.ts";
import type { Remarks } from "./remarks.ts";

/**
 * What becomes of the copies: "make": those that no sidecar has are made at load. "map": only a sidecar's are used, for
 * layers that the CPU computes whole. "leave": none is used; the masks apply, and whole matrices are read.
 */
export type CopyUse = "make" | "map" | "leave";

interface CopySource {
  readonly sidecar: Sidecar | undefined;
  readonly transpose: Transpose;
  readonly signal: AbortSignal | undefined;
}

export interface ResolvedMasks extends Remarks {
  readonly masksFor: (layer: number) => LayerMasks | undefined;
}

export async function resolveMasks(
  model: Model,
  copies: CopyUse,
  from: CopySource & { readonly table: InputThresholds },
): Promise<ResolvedMasks> {
  const { table, sidecar } = from;
  const norms = await columnNormsOf(model, sidecar);
  const masked = columnPlaces.filter((place) => table.shares[place] > 0);
  const matrices = masked.flatMap((place) => matricesOfPlace[place]);
  const { layers: channels, ...remarks } = await copiesOf(model, copies, { ...from, matrices });
  const layers = model.layers.map((_, layer): LayerMasks => {
    const { q, k, v, qkv, outputGate, attentionOutput, gate, up } = channels[layer] ?? {};
    const mask = (place: keyof ColumnNorms): { value: number; norms: Float32Array } => ({
      value: table.values[layer]?.[place] ?? 0,
      norms: norms[layer]?.[place] ?? new Float32Array(0),
    });
    return {
      ...(table.shares.attention > 0 && {
        attention: { ...mask("attention"), channels: { q, k, v, qkv, outputGate } },
      }),
      ...(table.shares.attentionOutput > 0 && {
        attentionOutput: { ...mask("attentionOutput"), channels: { output: attentionOutput } },
      }),
      ...(table.shares.ffn > 0 && { ffn: { ...mask("ffn"), channels: { gate, up } } }),
    };
  });
  return { masksFor: (layer) => layers[layer], ...remarks };
}

async function copiesOf(
  model: Model,
  copies: CopyUse,
  from: CopySource & { readonly matrices: readonly ChannelMatrix[] },
): Promise<Remarks & { readonly layers: readonly LayerChannels<Weight>[] }> {
  switch (copies) {
    case "leave":
      return { layers: [], notices: [wholeMatrices], details: [] };
    case "map":
      return { layers: from.sidecar?.channels ?? [], notices: [wholeMatricesOnCard], details: [] };
    case "make":
      return { notices: [], ...(await channelCopiesOf(model, from.matrices, from)) };
    default:
      return copies satisfies never;
  }
}

const wholeMatrices =
  "small inputs are masked, but the card reads whole matrices: only the CPU reads by input";
const wholeMatricesOnCard =
  "small inputs are masked, but only layers that the CPU computes whole are read by input; the card and split layers read whole matrices";
