/** The body of `/v1/completions`, and the request for answers that it is. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import { type FormBody, formFields, formOptions } from "../answers/form-fields.ts";
import type { AnswerPrompt, AnswerRequest } from "../answers/request.ts";
import { type SamplingBody, samplingFields, samplingOptions } from "../answers/sampling-fields.ts";
import type { BodyFields } from "../body-fields.ts";
import { RequestError } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { absentFields, idleFields } from "./absent-fields.ts";
import { type TextsOrTokens, textsOf, textsOrTokens } from "./input-texts.ts";
import { requireAtMost, type SharedBody, sharedFields } from "./shared-fields.ts";

export interface CompletionBody extends SharedBody, SamplingBody, FormBody {
  /** One or several, as texts or as token ids. */
  readonly prompt: TextsOrTokens;
  readonly echo?: boolean | undefined;
  readonly logprobs?: number | undefined;
}

export const completionFields: BodyFields<CompletionBody> = {
  schema: z
    .object({
      ...sharedFields,
      ...samplingFields,
      ...formFields,
      prompt: textsOrTokens,
      echo: z.boolean().optional().describe("Begin the text with the prompt"),
      logprobs: z.int().min(0).optional(),
    })
    .meta({ id: "CompletionRequest" }),
  idle: idleFields,
  absent: {
    ...absentFields,
    response_format: { reason: "json_schema and grammar are its names here" },
    best_of: {
      reason: "n answers are given, none is chosen among them",
      isNeutral: (value) => value === 1,
    },
    suffix: {
      reason: "texts in the middle of others are not supported yet",
      isNeutral: (value) => value === "",
    },
  },
};

/** @throws RequestError for what does not go together, or is more than the server gives */
export function completionRequest(body: CompletionBody, limits: Limits): AnswerRequest {
  const { model, n: count = 1, max_tokens, logprobs, echo } = body;
  const prompts = promptsOf(body.prompt);
  requireAtMost("n × prompts", count * prompts.length, limits.answersPerRequest);
  requireAtMost("logprobs", logprobs ?? 0, limits.topLogprobs);
  if (echo && logprobs !== undefined) {
    const message = "echo with logprobs: log-probabilities of a prompt are not reported";
    throw new RequestError("not supported", message, { field: "echo" });
  }
  const maxTokens = max_tokens === -1 ? undefined : max_tokens;
  const options = {
    ...samplingOptions(body),
    ...formOptions(body),
    ...defined({ maxTokens, logprobs }),
  };
  return { model, prompts, count, options };
}

export function promptsOf(prompt: TextsOrTokens): readonly AnswerPrompt[] {
  return textsOf(prompt).map(
    (one): AnswerPrompt =>
      typeof one === "string" ? { kind: "text", text: one } : { kind: "tokens", tokens: one },
  );
}
