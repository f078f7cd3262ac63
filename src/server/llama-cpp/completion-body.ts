/** The body of `/completion`, and the request for answers that it is. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import { type FormBody, formFields, formOptions } from "../answers/form-fields.ts";
import type { AnswerPrompt, AnswerRequest } from "../answers/request.ts";
import { type SamplingBody, samplingFields, samplingOptions } from "../answers/sampling-fields.ts";
import type { AbsentField, BodyFields } from "../body-fields.ts";
import { RequestError } from "../errors.ts";
import type { Limits } from "../limits.ts";

type OnePrompt = string | readonly number[];

export interface CompletionBody extends SamplingBody, FormBody {
  readonly model?: string | undefined;
  /** A text, token ids, or several of them. */
  readonly prompt: OnePrompt | readonly OnePrompt[];
  readonly n_predict?: number | undefined;
  readonly stream?: boolean | undefined;
  readonly n_probs?: number | undefined;
  readonly return_tokens?: boolean | undefined;
}

const tokens = z.array(z.int().min(0)).min(1);
const one = z.union([z.string(), tokens]);

const is =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value);

const absent: Readonly<Record<string, AbsentField>> = {
  cache_prompt: { reason: "what the cache holds of a prompt is always used", isNeutral: is(true) },
  id_slot: { reason: "hearth chooses the place of an answer", isNeutral: is(-1) },
  n_keep: { reason: "a full context ends the answer", isNeutral: is(0) },
  n_discard: { reason: "a full context ends the answer", isNeutral: is(0) },
  n_indent: { reason: "hearth counts no indents", isNeutral: is(0) },
  min_keep: { reason: "each filter keeps one token at least", isNeutral: is(0, 1) },
  samplers: { reason: "the order of the samplers is llama.cpp's own" },
  lora: {
    reason: "hearth has no adapters",
    isNeutral: (value) => Array.isArray(value) && value.length === 0,
  },
  post_sampling_probs: { reason: "probabilities are those of the model", isNeutral: is(false) },
  timings_per_token: { reason: "the last event has the timings", isNeutral: is(false) },
  return_progress: { reason: "the progress of prompts is not reported", isNeutral: is(false) },
  response_fields: { reason: "all fields are given" },
  t_max_predict_ms: { reason: "n_predict bounds an answer", isNeutral: is(0, -1) },
};

export const completionFields: BodyFields<CompletionBody> = {
  schema: z
    .object({
      ...samplingFields,
      ...formFields,
      model: z.string().optional(),
      prompt: z.union([one, z.array(one).min(1)]),
      n_predict: z
        .int()
        .min(-2)
        .optional()
        .describe("Below 0: until it ends or the context is full"),
      stream: z.boolean().optional(),
      n_probs: z.int().min(0).optional().describe("So many likeliest tokens with each token"),
      return_tokens: z.boolean().optional(),
    })
    .meta({ id: "LlamaCompletionRequest" }),
  idle: [],
  absent,
};

/** @throws RequestError for more than the server gives */
export function completionRequest(body: CompletionBody, limits: Limits): AnswerRequest {
  const { model, n_predict: most, n_probs: probabilities = 0 } = body;
  const prompts = promptsOf(body).map(
    (prompt): AnswerPrompt =>
      typeof prompt === "string"
        ? { kind: "text", text: prompt, parseSpecial: true }
        : { kind: "tokens", tokens: prompt },
  );
  requireAtMost("prompt", prompts.length, limits.answersPerRequest);
  requireAtMost("n_probs", probabilities, limits.topLogprobs);
  const maxTokens = most === undefined || most < 0 ? undefined : most;
  const logprobs = probabilities === 0 ? undefined : probabilities;
  return {
    model,
    prompts,
    options: {
      ...samplingOptions(body),
      ...formOptions(body),
      ...defined({ maxTokens, logprobs }),
    },
  };
}

/** Whether the answers come as a list. */
export function isList({ prompt }: CompletionBody): boolean {
  return Array.isArray(prompt) && typeof prompt[0] !== "number";
}

export function promptsOf({ prompt }: CompletionBody): readonly OnePrompt[] {
  if (typeof prompt === "string") return [prompt];
  return isTokens(prompt) ? [prompt] : prompt;
}

function isTokens(prompt: readonly unknown[]): prompt is readonly number[] {
  return typeof prompt[0] === "number";
}

function requireAtMost(field: string, value: number, most: number): void {
  if (value <= most) return;
  const message = `${field}: ${value} is more than this server gives at once, which is ${most}`;
  throw new RequestError("invalid request", message, { field });
}
