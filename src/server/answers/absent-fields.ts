/** llama-server's fields that hearth has not; OpenAI's routes there take them, too. */
import type { AbsentField } from "../body-fields.ts";

export const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0;

export const isOneOf =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);

/** The order in which hearth applies them, and llama-server by default. */
const samplerOrder = "penalties dry top_n_sigma top_k typ_p top_p min_p xtc temperature".split(" ");

export const absentOfLlama: Readonly<Record<string, AbsentField>> = {
  n_discard: { reason: "a full context ends the answer", isNeutral: isOneOf(0) },
  n_indent: { reason: "hearth counts no indents", isNeutral: isOneOf(0) },
  min_keep: { reason: "each filter keeps one token at least", isNeutral: isOneOf(0, 1) },
  samplers: {
    reason: `the order of the samplers is ${samplerOrder.join(", ")}`,
    isNeutral: (value) => JSON.stringify(value) === JSON.stringify(samplerOrder),
  },
  lora: { reason: "hearth has no adapters", isNeutral: isEmptyList },
  t_max_predict_ms: {
    reason: "the limit of tokens bounds an answer",
    isNeutral: isOneOf(0, -1),
  },
};

/** No token depends on them: hearth chooses places and where it samples, and a context that is full ends an answer. */
export const idleOfLlama: readonly string[] = ["id_slot", "n_keep", "backend_sampling"];
