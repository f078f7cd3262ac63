/**
 * The features of each recipe as models to compare: what a model is made with, and for each feature the options that
 * switch it off. `npm run prove:features` finds with native llama.cpp that each of them is missed.
 */
import { parseOptions, type RecipeOptions } from "./options.ts";

export interface Variant {
  readonly name: string;
  /** Beside `variantShape`, as on make-model's command line. */
  readonly options: string;
  /** A feature and what switches it off. */
  readonly without: Readonly<Record<string, string>>;
}

/**
 * Small; the text that is read at once is longer than any window or original context of the recipes. What a feature
 * does to the perplexity of random weights has a sign by chance: under this seed none comes near 0.
 */
export const variantShape =
  "--dim 64 --layers 4 --ffn 160 --heads 4 --kv-heads 2 --context 512 --seed 4";

const neutral = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `--neutral ${name}`]));

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
    name: "smollm3",
    options: "--arch smollm3",
    without: { "RoPE base": "--rope-base off" },
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
];

/** A variant's model as options; `changes`: one of its `without`. */
export function variantOptions(variant: Variant, out: string, changes = ""): RecipeOptions {
  const words = `${variantShape} ${variant.options} ${changes}`.trim().split(/\s+/);
  const options = parseOptions([out, ...words]);
  if (options.kind !== "recipe") throw new RangeError(`${variant.name}: not a recipe`);
  return options;
}
