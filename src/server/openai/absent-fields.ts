/** Fields of OpenAI's and llama-server's bodies that hearth has not, or that change nothing here. */
import { absentOfLlama, idleOfLlama, isOneOf } from "../answers/absent-fields.ts";
import type { AbsentField } from "../body-fields.ts";

/** About accounts, billing, caches and how an answer is delivered: no token of an answer depends on them. */
export const idleFields: readonly string[] = [
  "user",
  "store",
  "metadata",
  "service_tier",
  "safety_identifier",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prediction",
  ...idleOfLlama,
];

export const absentFields: Readonly<Record<string, AbsentField>> = {
  ...absentOfLlama,
  modalities: {
    reason: "hearth answers in text",
    isNeutral: (value) => JSON.stringify(value) === '["text"]',
  },
  audio: { reason: "hearth answers in text" },
  web_search_options: { reason: "hearth searches nothing" },
  verbosity: { reason: "models here do not know it", isNeutral: isOneOf("medium") },
  n_predict: { reason: "max_tokens is its name here", isNeutral: isOneOf(-1) },
  n_probs: { reason: "logprobs and top_logprobs ask for that", isNeutral: isOneOf(0) },
};
