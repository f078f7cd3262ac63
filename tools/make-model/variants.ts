/**
 * The features of each recipe as models to compare: what a model is made with, and for each feature the options that
 * switch it off. `npm run prove:features` finds with native llama.cpp that each of them is missed.
 */
import { expertVariants } from "./expert-variants.ts";
import { parseOptions, type RecipeOptions } from "./options.ts";
import { neutral, type Variant } from "./variant.ts";

/**
 * Small; the text that is read at once is longer than any window or original context of the recipes. What a feature
 * does to the perplexity of random weights has a sign by chance: under this seed none comes near 0.
 */
export const variantShape =
  "--dim 64 --layers 4 --ffn 160 --heads 4 --kv-heads 2 --context 512 --seed 4";

export const variants: readonly Variant[] = [
  {
    name: "granite",
    options: "--arch granite",
    without: {
      "embedding scale": "--embedding-scale off",
      "residual scale": "--residual-scale off",
      "attention scale": "--attention-scale off",
      "logit scale": "--logit-scale off",
    },
  },
  {
    name: "granite with biases",
    options: "--arch granite --biases 1 --seed 2",
    without: neutral(
      "attn_q.bias",
      "attn_output.bias",
      "ffn_gate.bias",
      "ffn_up.bias",
      "ffn_down.bias",
    ),
  },
  {
    name: "smollm3",
    options: "--arch smollm3",
    without: { "RoPE base": "--rope-base off" },
  },
  {
    name: "seed_oss",
    options: "--arch seed_oss --head-dim 32 --seed 3",
    without: {
      "RoPE base": "--rope-base off",
      ...neutral("attn_q.bias", "attn_k.bias", "attn_v.bias", "post_attention_norm.weight"),
    },
  },
  {
    name: "olmo2",
    options: "--arch olmo2",
    without: neutral(
      "attn_q_norm.weight",
      "attn_k_norm.weight",
      "post_attention_norm.weight",
      "post_ffw_norm.weight",
    ),
  },
  {
    name: "olmo3",
    options: "--arch olmo2 --window 24 --window-pattern 2 --yarn 8 --original-context 64 --seed 5",
    without: {
      window: "--window 4096",
      "window pattern": "--window-pattern off",
      YaRN: "--yarn off",
    },
  },
  {
    name: "phi3",
    options: "--arch phi3",
    without: {
      longrope: "--original-context off",
      "long factors": "--original-context 512",
      "attention factor": "--rope-attention-factor off",
      "partial RoPE": "--rope-dims off",
    },
  },
  {
    // The context fits the original one.
    name: "phi3 short",
    options: "--arch phi3 --tied off --original-context 512",
    without: neutral("rope_factors_short.weight"),
  },
  {
    name: "glm4",
    options: "--arch glm4 --head-dim 32",
    without: {
      "partial RoPE": "--rope-dims off",
      ...neutral(
        "attn_q.bias",
        "attn_k.bias",
        "attn_v.bias",
        "post_attention_norm.weight",
        "post_ffw_norm.weight",
      ),
    },
  },
  {
    name: "mistral3",
    options: "--arch mistral3",
    without: {
      YaRN: "--yarn off --temperature-scale off",
      temperature: "--temperature-scale off",
      "original context": "--original-context off",
      "log multiplier": "--yarn-log-multiplier off",
      "beta fast": "--yarn-beta-fast off",
      "beta slow": "--yarn-beta-slow off",
    },
  },
  {
    name: "gemma",
    options: "--arch gemma --head-dim 32",
    without: neutral("attn_norm.weight", "ffn_norm.weight"),
  },
  {
    name: "gemma2",
    options: "--arch gemma2 --head-dim 32",
    without: {
      window: "--window off",
      "soft cap": "--soft-cap off",
      "final soft cap": "--final-soft-cap off",
      ...neutral("post_attention_norm.weight", "post_ffw_norm.weight"),
    },
  },
  {
    name: "gemma3",
    options: "--arch gemma3 --head-dim 32",
    without: {
      window: "--window 4096",
      "window pattern": "--window-pattern off",
      "RoPE base of local layers": "--rope-base-swa off",
      "RoPE factor of global layers": "--rope-factor off",
      ...neutral("attn_q_norm.weight", "attn_k_norm.weight", "post_attention_norm.weight"),
    },
  },
  {
    name: "qwen35",
    options: "--arch qwen35 --head-dim 32 --full-attention-interval 2 --seed 2",
    without: {
      "partial RoPE": "--rope-dims off",
      ...neutral(
        "attn_q_norm.weight",
        "attn_k_norm.weight",
        "attn_gate.weight",
        "ssm_conv1d.weight",
        "ssm_a",
        "ssm_dt.bias",
        "ssm_alpha.weight",
        "ssm_beta.weight",
        "ssm_norm.weight",
      ),
    },
  },
  {
    name: "bitnet",
    options: "--arch bitnet --seed 3",
    // Norms behind them take the scales of attn_v and ffn_up out again.
    without: neutral(
      "attn_sub_norm.weight",
      "ffn_sub_norm.weight",
      "attn_q.scale",
      "attn_k.scale",
      "attn_output.scale",
      "ffn_gate.scale",
      "ffn_down.scale",
    ),
  },
  {
    name: "bitnet-b1.58",
    options: "--arch bitnet-b1.58",
    without: neutral("attn_sub_norm.weight", "ffn_sub_norm.weight"),
    isUnknownToNative: true,
  },
  {
    name: "gemma4 small",
    options: "--arch gemma4 --layers 6 --head-dim 32 --head-dim-swa 16 --wide-ffn 1 --seed 1",
    without: {
      window: "--window 4096",
      "RoPE base of local layers": "--rope-base-swa off",
      "final soft cap": "--final-soft-cap off",
      "keys of earlier layers": "--shared-kv-layers off --wide-ffn off",
      "embedding of each layer": "--per-layer-embedding off",
      ...neutral(
        "rope_freqs.weight",
        "attn_q_norm.weight",
        "attn_k_norm.weight",
        "post_ffw_norm.weight",
        "per_layer_token_embd.weight",
        "per_layer_model_proj.weight",
        "per_layer_proj_norm.weight",
        "post_norm.weight",
        "layer_output_scale.weight",
      ),
    },
  },
  {
    name: "gemma4 large",
    options:
      "--arch gemma4 --head-dim 32 --head-dim-swa 16 --shared-kv-layers off --per-layer-embedding off --shared-keys 1 --kv-heads-full 1 --seed 2",
    without: {
      window: "--window 4096",
      "keys that are values": "--shared-keys off",
      "KV heads of global layers": "--kv-heads-full off",
      ...neutral("rope_freqs.weight", "layer_output_scale.weight"),
    },
  },
  {
    name: "exaone4",
    options: "--arch exaone4 --seed 2",
    without: {
      "RoPE base": "--rope-base off",
      ...neutral(
        "attn_q_norm.weight",
        "attn_k_norm.weight",
        "post_attention_norm.weight",
        "post_ffw_norm.weight",
      ),
    },
  },
  {
    name: "exaone4 with windows",
    options: "--arch exaone4 --layers 64 --window 24",
    without: { window: "--window 4096", "window pattern": "--window-pattern 2" },
  },
  {
    name: "cohere2",
    options: "--arch cohere2 --seed 1",
    without: {
      window: "--window 4096",
      "window pattern": "--window-pattern off",
      "logit scale": "--logit-scale off",
      "RoPE base": "--rope-base off",
      ...neutral("attn_norm.weight"),
    },
  },
  {
    name: "starcoder2",
    options: "--arch starcoder2 --seed 1",
    without: neutral(
      "attn_norm.bias",
      "attn_q.bias",
      "attn_k.bias",
      "attn_v.bias",
      "attn_output.bias",
      "ffn_norm.bias",
      "ffn_up.bias",
      "ffn_down.bias",
      "output_norm.bias",
    ),
  },
  {
    name: "gemma3n",
    options: "--arch gemma3n --layers 22 --head-dim 32 --seed 2",
    without: {
      window: "--window 4096",
      "window pattern": "--window-pattern 2",
      "RoPE base of local layers": "--rope-base-swa off",
      ...neutral(
        "altup_correct_coef.weight",
        "altup_correct_scale.weight",
        "altup_predict_coef.weight",
        "altup_router_norm.weight",
        "laurel_l.weight",
        "laurel_post_norm.weight",
        "per_layer_token_embd.weight",
        "post_norm.weight",
      ),
    },
  },
  ...expertVariants,
];

/** A variant's model as options; `changes`: one of its `without`. */
export function variantOptions(variant: Variant, out: string, changes = ""): RecipeOptions {
  const words = `${variantShape} ${variant.options} ${changes}`.trim().split(/\s+/);
  const options = parseOptions([out, ...words]);
  if (options.kind !== "recipe") throw new RangeError(`${variant.name}: not a recipe`);
  return options;
}
