/**
 * Layers that read the keys and values of an earlier one: for the `numbers` of an architecture file. They store none.
 * Source: Gemma 3n, num_kv_shared_layers; llama.cpp does the same (llama_model::create_memory).
 */
import type { AttentionShape, Hyperparameters, KeyReader } from "./hyperparameters.ts";

/**
 * The last `attention.shared_kv_layers` layers read what the last one before them stored that sees as far: all tokens,
 * or a window. @throws FileFormatError where there is none, or one with other heads.
 */
export function withSharedCache(shape: Hyperparameters, keys: KeyReader): Hyperparameters {
  const key = "attention.shared_kv_layers";
  const count = keys.optional(key, { min: 0, max: shape.layers - 1, integer: true }) ?? 0;
  const first = shape.layers - count;
  const own = shape.attention.slice(0, first);
  const attention = shape.attention.map((heads, layer) => {
    if (layer < first) return heads;
    const cacheOf = own.findLastIndex(({ window }) => window === heads.window);
    const source = own[cacheOf];
    if (source === undefined || !hasKeysOf(source, heads)) {
      const reach = heads.window === undefined ? "sees all tokens" : "has a window";
      keys.fail(
        key,
        count,
        `before them a layer that ${reach}, with the heads of keys and values of layer ${layer}`,
      );
    }
    return { ...heads, cacheOf };
  });
  return { ...shape, attention };
}

function hasKeysOf(source: AttentionShape, heads: AttentionShape): boolean {
  const { kvHeads, keyWidth, valueWidth } = heads;
  return (
    source.kvHeads === kvHeads && source.keyWidth === keyWidth && source.valueWidth === valueWidth
  );
}
