/** Fields of OpenAI's and llama-server's bodies that hearth has not, or that change nothing here. */
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
];

export const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;
const isOneOf =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);

export const absentFields: Readonly<Record<string, AbsentField>> = {
  modalities: {
    reason: "hearth answers in text",
    isNeutral: (value) => JSON.stringify(value) === '["text"]',
  },
  audio: { reason: "hearth answers in text" },
  web_search_options: { reason: "hearth searches nothing" },
  verbosity: { reason: "models here do not know it", isNeutral: isOneOf("medium") },
  cache_prompt: {
    reason: "what the cache holds of a prompt is always used",
    isNeutral: isOneOf(true),
  },
  n_probs: { reason: "logprobs and top_logprobs ask for that", isNeutral: isOneOf(0) },
  id_slot: { reason: "hearth chooses the place of an answer", isNeutral: isOneOf(-1) },
  samplers: { reason: "the order of the samplers is llama.cpp's own" },
  lora: { reason: "hearth has no adapters", isNeutral: isEmptyList },
};
