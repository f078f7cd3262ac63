/** The mixtures of experts among the variants: what is chosen, and by what it is weighed, counts. */
import { neutral, type Variant } from "./variant.ts";

const shape = "--expert-ffn 96";

const fewerExperts = { "two experts of eight": "--experts-used 1" };

export const expertVariants: readonly Variant[] = [
  {
    name: "mixtral",
    options: `--arch mixtral ${shape} --seed 2`,
    without: { ...fewerExperts, "RoPE base": "--rope-base off" },
  },
  {
    name: "qwen3moe",
    options: `--arch qwen3moe ${shape} --head-dim 32`,
    without: {
      ...fewerExperts,
      ...neutral("attn_q_norm.weight", "attn_k_norm.weight", "ffn_gate_inp.weight"),
    },
  },
  {
    name: "qwen3moe of some favourites",
    options: `--arch qwen3moe ${shape} --experts 16 --experts-used 4 --router-skew 1`,
    without: { "four experts of 16": "--experts-used 1" },
  },
  {
    name: "qwen2moe",
    options: `--arch qwen2moe ${shape} --seed 2`,
    without: {
      ...fewerExperts,
      "one of two shared experts": "--shared-experts 1",
      ...neutral("attn_q.bias", "ffn_gate_inp_shexp.weight", "ffn_down_shexp.weight"),
    },
  },
  {
    name: "glm4moe",
    options: `--arch glm4moe ${shape} --head-dim 32 --seed 1`,
    without: {
      ...fewerExperts,
      "sigmoid scores": "--gating 1",
      "sum of weights": "--expert-weights-norm off",
      "scale of weights": "--expert-weights-scale off",
      "dense layer": "--dense-layers 2",
      "partial RoPE": "--rope-dims off",
      ...neutral(
        "exp_probs_b.bias",
        "ffn_down_shexp.weight",
        "attn_q.bias",
        "attn_q_norm.weight",
        "attn_k_norm.weight",
      ),
    },
  },
  {
    name: "glm4moe with groups",
    options: `--arch glm4moe ${shape} --experts 16 --experts-used 3 --expert-groups 4 --expert-groups-used 2 --seed 1`,
    without: {
      groups: "--expert-groups off --expert-groups-used off",
      "one group of two": "--expert-groups-used 1",
      ...neutral("exp_probs_b.bias"),
    },
  },
  {
    name: "glm4moe with a proposing layer",
    options: `--arch glm4moe ${shape} --head-norms off --layers 4 --nextn-layers 1 --seed 1`,
    without: { "proposing layer": "--nextn-layers off" },
  },
  {
    name: "gpt-oss",
    options: `--arch gpt-oss ${shape} --head-dim 32 --seed 202`,
    without: {
      window: "--window 4096",
      YaRN: "--yarn off",
      ...fewerExperts,
      ...neutral(
        "attn_sinks.weight",
        "attn_output.bias",
        "ffn_gate_inp.bias",
        "ffn_gate_exps.bias",
        "ffn_up_exps.bias",
        "ffn_down_exps.bias",
      ),
    },
  },
  {
    name: "gpt-oss in MXFP4",
    options: `--arch gpt-oss ${shape} --head-dim 32 --expert-type mxfp4 --seed 2`,
    without: { window: "--window 4096", ...neutral("ffn_gate_exps.bias") },
  },
  {
    name: "olmoe",
    // Native llama.cpp has one norm for q and k of one length only.
    options: `--arch olmoe ${shape} --heads 4 --kv-heads 4`,
    without: {
      ...fewerExperts,
      "RoPE base": "--rope-base 1000",
      ...neutral("attn_q_norm.weight", "attn_k_norm.weight"),
    },
  },
  {
    name: "granitemoe",
    options: `--arch granitemoe ${shape} --seed 1`,
    without: {
      ...fewerExperts,
      "embedding scale": "--embedding-scale off",
      "residual scale": "--residual-scale off",
      "attention scale": "--attention-scale off",
      "logit scale": "--logit-scale off",
    },
  },
  {
    name: "granitemoe with a shared expert",
    options: `--arch granitemoe ${shape} --shared-experts 1`,
    without: { ...fewerExperts, ...neutral("ffn_down_shexp.weight") },
  },
  {
    name: "smallthinker",
    options: `--arch smallthinker ${shape} --head-dim 32`,
    without: { ...fewerExperts, "sigmoid scores": "--gating 1", "RoPE base": "--rope-base off" },
  },
  {
    name: "smallthinker with windows",
    options: `--arch smallthinker ${shape} --head-dim 32 --gating 1 --window 4096 --layers 5 --seed 1`,
    without: { ...fewerExperts, "window and layers without RoPE": "--window off" },
  },
  {
    name: "qwen35moe",
    options: `--arch qwen35moe ${shape} --head-dim 32 --full-attention-interval 2 --seed 8`,
    without: {
      ...fewerExperts,
      "partial RoPE": "--rope-dims off",
      ...neutral(
        "attn_gate.weight",
        "ssm_conv1d.weight",
        "ssm_alpha.weight",
        "ssm_beta.weight",
        "ffn_gate_inp_shexp.weight",
        "ffn_down_shexp.weight",
      ),
    },
  },
  {
    name: "qwen35moe with a proposing layer",
    options: `--arch qwen35moe ${shape} --head-dim 32 --layers 5 --nextn-layers 1 --fused-experts 1`,
    without: { ...fewerExperts },
  },
  {
    name: "qwen3next",
    options: `--arch qwen3next ${shape} --head-dim 32 --full-attention-interval 2 --seed 1`,
    without: {
      ...fewerExperts,
      "partial RoPE": "--rope-dims off",
      ...neutral("attn_gate.weight", "ssm_conv1d.weight", "ssm_ba.weight", "ffn_down_shexp.weight"),
    },
  },
  {
    name: "bailingmoe",
    options: `--arch bailingmoe ${shape} --seed 2`,
    without: {
      ...fewerExperts,
      "sum of weights": "--expert-weights-norm off",
      "scale of weights": "--expert-weights-scale off",
      ...neutral("ffn_down_shexp.weight"),
    },
  },
  {
    name: "phimoe",
    options: `--arch phimoe ${shape} --seed 5`,
    without: {
      ...fewerExperts,
      longrope: "--original-context off",
      "attention factor": "--rope-attention-factor off",
      ...neutral("attn_norm.bias", "attn_output.bias", "ffn_norm.bias", "output.bias"),
    },
  },
  {
    name: "gemma4 with experts",
    options: `--arch gemma4 ${shape} --head-dim 32 --head-dim-swa 16 --shared-kv-layers off --per-layer-embedding off --shared-keys 1 --kv-heads-full 1 --experts 8 --seed 6`,
    without: {
      ...fewerExperts,
      ...neutral(
        "ffn_gate_inp.scale",
        "ffn_down_exps.scale",
        "pre_ffw_norm_2.weight",
        "post_ffw_norm_1.weight",
        "post_ffw_norm_2.weight",
        "ffn_down.weight",
      ),
    },
  },
];
