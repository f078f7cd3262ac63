/**
 * What the columns of a dense model's matrices are multiplied with over texts: the sums of squares that an importance
 * matrix is made of. Of layers alone, as llama-imatrix does: the embedding is read by rows, the output matrix is kept wide.
 */
import type { ColumnSums } from "../core/column-sums.ts";
import type { Tokens } from "../core/units.ts";
import type { Corpus } from "./corpus.ts";
import type { LayerSamples } from "./ffn-samples.ts";
import type { Gatherer } from "./gather.ts";

/** Which of a layer's samples each of its matrices multiplies. */
const inputs: readonly (readonly [keyof LayerSamples & SampleName, readonly string[]])[] = [
  ["attentionInput", ["attn_q", "attn_k", "attn_v", "attn_qkv"]],
  ["attentionOutput", ["attn_output"]],
  ["normed", ["ffn_gate", "ffn_up"]],
  ["h", ["ffn_down"]],
];

type SampleName = "attentionInput" | "attentionOutput" | "normed" | "h";

export interface ColumnSumsRequest {
  readonly corpora: readonly Corpus[];
  /** Of each corpus. */
  readonly tokens: Tokens;
  /** Names of the model's tensors. */
  readonly tensors: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
  readonly onTokens?: ((done: Tokens) => void) | undefined;
}

/** Sums over all rows; where it is stopped, over those before. */
export async function sumColumns(
  gatherer: Gatherer,
  { corpora, tokens, tensors, signal, onTokens }: ColumnSumsRequest,
): Promise<{ readonly rows: number; readonly matrices: readonly ColumnSums[] }> {
  const layers: Map<SampleName, Float64Array>[] = [];
  let rows = 0;
  let before = 0;
  for (const corpus of corpora) {
    for await (const batch of gatherer.batches({ corpus, tokens })) {
      for (const samples of batch.layers) {
        layers[samples.layer] ??= new Map();
        addSquares(samples, batch.rows, layers[samples.layer]);
      }
      rows += batch.rows;
      onTokens?.(before + batch.position);
      if (signal?.aborted) break;
    }
    if (signal?.aborted) break;
    before += tokens;
  }
  return { rows, matrices: layers.flatMap((sums, layer) => matricesOf(sums, layer, tensors)) };
}

function addSquares(
  samples: LayerSamples,
  rows: number,
  sums: Map<SampleName, Float64Array> | undefined,
): void {
  for (const [name] of inputs) {
    const values = samples[name];
    const width = values.length / rows;
    const sum = sums?.get(name) ?? new Float64Array(width);
    sums?.set(name, sum);
    for (let at = 0; at < values.length; at += width) {
      for (let i = 0; i < width; i++) {
        const value = values[at + i] ?? 0;
        sum[i] = (sum[i] ?? 0) + value * value;
      }
    }
  }
}

function matricesOf(
  sums: ReadonlyMap<SampleName, Float64Array>,
  layer: number,
  tensors: ReadonlySet<string>,
): ColumnSums[] {
  return inputs.flatMap(([input, parts]) =>
    parts.flatMap((part) => {
      const name = `blk.${layer}.${part}.weight`;
      const sum = sums.get(input);
      return tensors.has(name) && sum !== undefined ? [{ name, sums: sum }] : [];
    }),
  );
}
