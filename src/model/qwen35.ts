/**
 * Qwen3.5, dense: three layers in four have a gated DeltaNet in place of attention; in the others a sigmoid of a part of
 * the query projection gates what attention gives. Layers behind the last one, which propose further tokens, stay unused.
 * Source: llama.cpp, src/models/qwen35.cpp.
 */
import type { Architecture } from "./architecture.ts";
import { readDeltaNet, readRecurrentLayers } from "./delta-net.ts";
import type { Hyperparameters, KeyReader } from "./hyperparameters.ts";
import { llama } from "./llama.ts";
import { withoutProposingLayers } from "./proposing-layers.ts";

export const qwen35: Architecture = {
  ...llama,
  name: "qwen35",
  positions: { kind: "rope", pairing: "halves" },
  dataLayouts: [],
  numbers,
  layerWeights: (find) => ({
    attentionNorm: find.norm("attn_norm"),
    attention: find.isRecurrent ? find.deltaNet() : find.gatedAttention(),
    ffnNorm: find.norm("post_attention_norm"),
    ffn: find.ffn(),
  }),
};

function numbers(shape: Hyperparameters, keys: KeyReader): Hyperparameters {
  checkSections(shape, keys);
  const isRecurrent = readRecurrentLayers(keys, shape.layers);
  const net = readDeltaNet(keys);
  const own = withoutProposingLayers(shape, keys);
  return {
    ...own,
    deltaNets: isRecurrent.slice(0, own.layers).map((is) => (is ? net : undefined)),
  };
}

/**
 * Pair i turns by time where i mod 3 is 0, by height where it is 1, by width where it is 2: the same position in a text,
 * up to three times the section. A pair beyond would turn by a fourth position, which a text does not have.
 */
function checkSections({ rope }: Hyperparameters, keys: KeyReader): void {
  const key = "rope.dimension_sections";
  const sections = keys.list(key, { min: 0, max: rope.dims / 2, integer: true });
  const total = sections.reduce((sum, section) => sum + section, 0);
  const isTurned = (pair: number): boolean => {
    const sector = pair % total;
    return sector < 3 * (sections[sector % 3] ?? 0);
  };
  const pairs = Array.from({ length: rope.dims / 2 }, (_, pair) => pair);
  if (sections.length === 4 && total > 0 && pairs.every(isTurned)) return;
  keys.fail(
    key,
    sections.join(", "),
    `four sections of ${pairs.length} pairs that turn all of them`,
  );
}
