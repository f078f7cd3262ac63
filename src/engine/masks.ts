/**
 * Thresholds on input magnitude as the program takes them: masks for each layer, with the copies by which a backend
 * reads only what they leave. Copies come from the sidecar or are made at load, which is said.
 */
import type { Backend } from "../backends/backend.ts";
import { LimitError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import {
  channelBytes,
  channelCopy,
  channelSources,
  layerColumnNorms,
  matricesOfPlace,
} from "../derived-weights/channel-copies.ts";
import { thresholdRowType } from "../derived-weights/transpose-down.ts";
import type { LayerMasks } from "../model/graph.ts";
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

/**
 * What becomes of the copies: "make": those that no sidecar has are made at load. "map": only a sidecar's are used, for
 * layers that the CPU computes whole. "leave": none is used; the masks apply, and whole matrices are read.
 */
export type CopyUse = "make" | "map" | "leave";

export interface ResolvedMasks {
  readonly masksFor: (layer: number) => LayerMasks | undefined;
  readonly notices: readonly string[];
}

export async function resolveMasks(
  model: Model,
  backend: Backend,
  from: {
    readonly table: InputThresholds;
    readonly sidecar: Sidecar | undefined;
    readonly copies: CopyUse;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<ResolvedMasks> {
  const { table, sidecar, copies, signal } = from;
  const norms = await columnNormsOf(model, sidecar);
  const masked = columnPlaces.filter((place) => table.shares[place] > 0);
  const wanted = masked.flatMap((place) => matricesOfPlace[place]);
  const made = await copiesOf(model, backend, { wanted, sidecar, copies, signal });
  const layers = model.layers.map((_, layer): LayerMasks => {
    const { q, k, v, attentionOutput, gate, up } = made.layers[layer] ?? {};
    const mask = (place: keyof ColumnNorms): { value: number; norms: Float32Array } => ({
      value: table.values[layer]?.[place] ?? 0,
      norms: norms[layer]?.[place] ?? new Float32Array(0),
    });
    return {
      ...(table.shares.attention > 0 && {
        attention: { ...mask("attention"), channels: { q, k, v } },
      }),
      ...(table.shares.attentionOutput > 0 && {
        attentionOutput: { ...mask("attentionOutput"), channels: { output: attentionOutput } },
      }),
      ...(table.shares.ffn > 0 && { ffn: { ...mask("ffn"), channels: { gate, up } } }),
    };
  });
  return { masksFor: (layer) => layers[layer], notices: made.notices };
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

interface CopyRequest {
  readonly wanted: readonly ChannelMatrix[];
  readonly sidecar: Sidecar | undefined;
  readonly copies: CopyUse;
  readonly signal: AbortSignal | undefined;
}

async function copiesOf(
  model: Model,
  backend: Backend,
  { wanted, sidecar, copies, signal }: CopyRequest,
): Promise<{
  readonly layers: readonly LayerChannels<Weight>[];
  readonly notices: readonly string[];
}> {
  if (copies === "leave") return { layers: [], notices: [wholeMatrices] };
  const kept = model.layers.map((_, layer) => sidecar?.channels[layer] ?? {});
  if (copies === "map") return { layers: kept, notices: [wholeMatricesOnCard] };
  const missing = model.layers.map((weights, layer) => {
    const sources = channelSources(weights);
    return wanted.flatMap((name) => {
      const source = sources[name];
      return source === undefined || kept[layer]?.[name] ? [] : [{ name, source }];
    });
  });
  const toMake = missing.flat().map(({ source }) => source);
  if (toMake.length === 0) return { layers: kept, notices: [] };
  const bytes = toMake.reduce((sum, source) => sum + channelBytes(source), 0);
  checkMemory(bytes);
  const startedAt = performance.now();
  const layers: LayerChannels<Weight>[] = [];
  for (const [layer, sources] of missing.entries()) {
    const own: [ChannelMatrix, Weight][] = [];
    for (const { name, source } of sources) {
      signal?.throwIfAborted();
      own.push([name, await channelCopy(source, backend)]);
    }
    layers.push({ ...kept[layer], ...Object.fromEntries(own) });
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const types = [...new Set(toMake.map(thresholdRowType))].join(" and ");
  const notice = `${toMake.length} matrices were copied at load with a row for each input (${formatBytes(bytes)} of ${types}, ${seconds} s); hearth prepare keeps them in a sidecar that is mapped instead`;
  return { layers, notices: [notice] };
}

const wholeMatrices =
  "small inputs are masked, but the card reads whole matrices: only the CPU reads by input";
const wholeMatricesOnCard =
  "small inputs are masked, but only layers that the CPU computes whole are read by input; the card and split layers read whole matrices";

function checkMemory(bytes: Bytes): void {
  const free = process.availableMemory();
  if (bytes <= free) return;
  throw new LimitError(
    `copies of the matrices for sparsity threshold take ${formatBytes(bytes)} and ${formatBytes(free)} of memory are free; run hearth prepare once, or use sparsity dense`,
  );
}
