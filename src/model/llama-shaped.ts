/** Architectures whose computation is that of another, under a name of their own: a few lines each. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";
import { qwen2 } from "./qwen2.ts";

/** `name` is the files' general.architecture. */
function named(name: string, like: Architecture): Architecture {
  return { ...like, name, dataLayouts: [] };
}

export const llamaShaped: readonly Architecture[] = [
  // InternLM 2 and 2.5.
  named("internlm2", llama),
  // ERNIE 4.5, the dense ones.
  named("ernie4_5", llama),
  named("xverse", llama),
  // EXAONE 3.
  named("exaone", qwen2),
  // Orion: with LayerNorm.
  { ...named("orion", qwen2), norm: "layer" },
  // Seed-OSS: the norm before the FFN has another name.
  {
    ...named("seed_oss", qwen2),
    layerWeights: (find) => ({
      attentionNorm: find.norm("attn_norm"),
      attention: find.attention(),
      ffnNorm: find.norm("post_attention_norm"),
      ffn: find.ffn(),
    }),
  },
];
