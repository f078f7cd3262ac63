/** The bodies of `/completion` and `/infill`, and the requests for answers that they are. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import { absentOfLlama, idleOfLlama } from "../answers/absent-fields.ts";
import { type FormBody, formFields, formOptions } from "../answers/form-fields.ts";
import { answerPrompts, type PromptField, promptField } from "../answers/prompt-field.ts";
import { type ReadingBody, readingFields, readingOptions } from "../answers/reading-fields.ts";
import type { AnswerOptions, AnswerRequest } from "../answers/request.ts";
import { type SamplingBody, samplingFields, samplingOptions } from "../answers/sampling-fields.ts";
import {
  type TellingBody,
  tellingFields,
  tellingOptions,
  tellsProgress,
} from "../answers/telling-fields.ts";
import type { BodyFields } from "../body-fields.ts";
import { requireAtMost } from "../errors.ts";
import type { Limits } from "../limits.ts";

export interface AnswerBody extends SamplingBody, FormBody, ReadingBody, TellingBody {
  readonly model?: string | undefined;
  readonly n_predict?: number | undefined;
  readonly stream?: boolean | undefined;
  readonly n_probs?: number | undefined;
  readonly return_tokens?: boolean | undefined;
  readonly response_fields?: readonly string[] | undefined;
}

export interface CompletionBody extends AnswerBody {
  readonly prompt: PromptField;
}

export interface InfillBody extends AnswerBody {
  readonly input_prefix: string;
  readonly input_suffix: string;
  readonly input_extra?: readonly ExtraFile[] | undefined;
  readonly prompt?: string | undefined;
}

interface ExtraFile {
  readonly text: string;
  readonly filename?: string | undefined;
}

const answerFields = {
  ...samplingFields,
  ...formFields,
  ...readingFields,
  ...tellingFields,
  model: z.string().optional(),
  n_predict: z.int().min(-2).optional().describe("Below 0: until it ends or the context is full"),
  stream: z.boolean().optional(),
  n_probs: z.int().min(0).optional().describe("So many likeliest tokens with each token"),
  return_tokens: z.boolean().optional(),
  response_fields: z
    .array(z.string())
    .optional()
    .describe('These fields of the whole answer alone: "timings/predicted_n"; none: all'),
};

export const completionFields: BodyFields<CompletionBody> = {
  schema: z.object({ ...answerFields, prompt: promptField }).meta({ id: "LlamaCompletionRequest" }),
  idle: idleOfLlama,
  absent: absentOfLlama,
};

export const infillFields: BodyFields<InfillBody> = {
  schema: z
    .object({
      ...answerFields,
      input_prefix: z.string(),
      input_suffix: z.string(),
      input_extra: z
        .array(z.object({ text: z.string(), filename: z.string().optional() }))
        .optional()
        .describe("Other files of the project"),
      prompt: z.string().optional().describe("What the middle begins with"),
    })
    .meta({ id: "InfillRequest" }),
  idle: idleOfLlama,
  absent: absentOfLlama,
};

/** @throws RequestError for more than the server gives */
export function completionRequest(body: CompletionBody, limits: Limits): AnswerRequest {
  const prompts = answerPrompts(body.prompt, true);
  requireAtMost("prompt", prompts.length, limits.answersPerRequest);
  const options = optionsOf(body, limits);
  return { model: body.model, prompts, options, tellsProgress: tellsProgress(body) };
}

/** @throws RequestError for more than the server gives */
export function infillRequest(body: InfillBody, limits: Limits): AnswerRequest {
  const { model, input_prefix: prefix, input_suffix: suffix, input_extra = [] } = body;
  const files = input_extra.map(({ filename = "tmp", text }) => ({ name: filename, text }));
  const around = { prefix, suffix, begun: body.prompt ?? "", files };
  const options = optionsOf(body, limits);
  const prompts = [{ kind: "fill-in", around }] as const;
  return { model, prompts, options, tellsProgress: tellsProgress(body) };
}

function optionsOf(body: AnswerBody, limits: Limits): AnswerOptions {
  const { n_predict: most, n_probs: probabilities = 0 } = body;
  requireAtMost("n_probs", probabilities, limits.topLogprobs);
  const maxTokens = most === undefined || most < 0 ? undefined : most;
  const logprobs = probabilities === 0 ? undefined : probabilities;
  return {
    ...samplingOptions(body),
    ...formOptions(body),
    ...readingOptions(body),
    ...tellingOptions(body),
    ...defined({ maxTokens, logprobs }),
  };
}
