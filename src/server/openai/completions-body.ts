/** The body of `/v1/completions`, and the request for answers that it is. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import { type FormBody, formFields, formOptions } from "../answers/form-fields.ts";
import { answerPrompts, type PromptField, promptField } from "../answers/prompt-field.ts";
import { type ReadingBody, readingFields, readingOptions } from "../answers/reading-fields.ts";
import type { AnswerPrompt, AnswerRequest } from "../answers/request.ts";
import { type SamplingBody, samplingFields, samplingOptions } from "../answers/sampling-fields.ts";
import {
  type TellingBody,
  tellingFields,
  tellingOptions,
  tellsProgress,
} from "../answers/telling-fields.ts";
import type { BodyFields } from "../body-fields.ts";
import { RequestError, requireAtMost } from "../errors.ts";
import type { Limits } from "../limits.ts";
import { absentFields, idleFields } from "./absent-fields.ts";
import { type SharedBody, sharedFields } from "./shared-fields.ts";

export interface CompletionBody
  extends SharedBody,
    SamplingBody,
    FormBody,
    ReadingBody,
    TellingBody {
  /** One or several, as texts or as token ids. */
  readonly prompt: PromptField;
  readonly suffix?: string | undefined;
  readonly echo?: boolean | undefined;
  readonly logprobs?: number | undefined;
}

export const completionFields: BodyFields<CompletionBody> = {
  schema: z
    .object({
      ...sharedFields,
      ...samplingFields,
      ...formFields,
      ...readingFields,
      ...tellingFields,
      prompt: promptField,
      suffix: z
        .string()
        .optional()
        .describe("What comes behind the text, of models that fill in the middle"),
      echo: z
        .boolean()
        .optional()
        .describe("Begin the text with the prompt; with logprobs, report its tokens, too"),
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
  },
};

/** @throws RequestError for what does not go together, or is more than the server gives */
export function completionRequest(body: CompletionBody, limits: Limits): AnswerRequest {
  const { model, n: count = 1, max_tokens, logprobs, echo } = body;
  const prompts = promptsOf(body);
  requireAtMost("n × prompts", count * prompts.length, limits.answersPerRequest);
  requireAtMost("logprobs", logprobs ?? 0, limits.topLogprobs);
  const maxTokens = max_tokens === -1 ? undefined : max_tokens;
  const promptLogprobs = echo && logprobs !== undefined ? true : undefined;
  const options = {
    ...samplingOptions(body),
    ...formOptions(body),
    ...readingOptions(body),
    ...tellingOptions(body),
    ...defined({ maxTokens, logprobs, promptLogprobs }),
  };
  return { model, prompts, count, options, tellsProgress: tellsProgress(body) };
}

function promptsOf({ prompt, suffix = "", echo = false }: CompletionBody): readonly AnswerPrompt[] {
  const prompts = answerPrompts(prompt, false);
  if (suffix === "") return prompts;
  if (echo) {
    const message = "echo: a text that stands between two others has no prompt in front of it";
    throw new RequestError("invalid request", message, { field: "echo" });
  }
  return prompts.map((one): AnswerPrompt => {
    if (one.kind === "text")
      return { kind: "fill-in", around: { prefix: one.text, suffix, begun: "", files: [] } };
    const message = "prompt: with a suffix it is a text";
    throw new RequestError("invalid request", message, { field: "prompt" });
  });
}
