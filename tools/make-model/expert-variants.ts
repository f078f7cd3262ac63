/** The mixtures of experts among the variants: what is chosen, and by what it is weighed, counts. */
import { neutral, type Variant } from "./variant.ts";

const shape = "--expert-ffn 96";

const fewerExperts = { "two experts of eight": "--experts-used 1" };

export const expertVariants: readonly Variant[] = [
  {
    name: "mixtral",
    options: `--arch mixtral ${shape}`,
    without: { ...fewerExperts, "RoPE base": "--rope-base off" },
    isRefused: true,
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
    options: `--arch glm4moe ${shape} --layers 4 --nextn-layers 1`,
    without: { "proposing layer": "--nextn-layers off" },
  },
  {
    name: "gpt-oss",
    options: "--arch gpt-oss --head-dim 32 --seed 2",
    without: {
      window: "--window 4096",
      YaRN: "--yarn off",
      "two experts of eight": "--experts-used 1",
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
];
