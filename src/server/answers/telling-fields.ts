/** llama-server's fields about what is told beside the tokens of an answer, which OpenAI's routes take, too. */
import { z } from "zod";
import type { AbsentField } from "../body-fields.ts";
import { isOneOf } from "./absent-fields.ts";
import type { AnswerOptions } from "./request.ts";

export interface TellingBody {
  readonly timings_per_token?: boolean | undefined;
  readonly return_progress?: boolean | undefined;
  readonly post_sampling_probs?: boolean | undefined;
}

/** To be spread into the schema of a body. */
export const tellingFields: {
  readonly [Name in keyof Required<TellingBody>]: z.ZodType<TellingBody[Name]>;
} = {
  timings_per_token: z.boolean().optional().describe("In a stream, timings with each token"),
  return_progress: z
    .boolean()
    .optional()
    .describe("In a stream, prompt_progress while the prompt is read"),
  post_sampling_probs: z
    .boolean()
    .optional()
    .describe("Probabilities are those of the draw, behind all samplers, not the model's"),
};

export function tellingOptions({
  post_sampling_probs: isDrawn,
}: TellingBody): Pick<AnswerOptions, "logprobsOf"> {
  return isDrawn ? { logprobsOf: "sampler" } : {};
}

/** In a stream alone: a whole answer comes when its prompt is read. */
export function tellsProgress({
  stream = false,
  return_progress = false,
}: TellingBody & { readonly stream?: boolean | undefined }): boolean {
  return stream && return_progress;
}

/** Where an interface has no place for them. */
export const untoldFields: Readonly<Record<keyof TellingBody, AbsentField>> = {
  timings_per_token: { reason: "this interface has no timings", isNeutral: isOneOf(false) },
  return_progress: {
    reason: "this interface does not tell the progress of prompts",
    isNeutral: isOneOf(false),
  },
  post_sampling_probs: {
    reason: "probabilities are those of the model here",
    isNeutral: isOneOf(false),
  },
};
