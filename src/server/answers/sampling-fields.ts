/** Fields about sampling that several dialects take, and what of `GenerateOptions` they are. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type { AnswerOptions } from "./request.ts";

/** Of a body, as it was judged. Fields that are absent leave hearth's defaults. */
export interface SamplingBody {
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly min_p?: number | undefined;
  readonly typical_p?: number | undefined;
  readonly repeat_penalty?: number | undefined;
  readonly repeat_last_n?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly logit_bias?: LogitBias | undefined;
  readonly seed?: number | undefined;
  readonly stop?: string | readonly string[] | undefined;
  readonly ignore_eos?: boolean | undefined;
}

/** By id, or pairs of id and bias as llama-server takes them; false forbids a token. */
type LogitBias = Readonly<Record<string, number>> | readonly (readonly [number, number | false])[];

/** To be spread into the schema of a body. */
export const samplingFields: {
  readonly [Name in keyof Required<SamplingBody>]: z.ZodType<SamplingBody[Name]>;
} = {
  temperature: z.number().min(0).optional(),
  top_p: z.number().min(0).max(1).optional(),
  top_k: z.int().min(-1).optional().describe("0 or -1 keeps all"),
  min_p: z.number().min(0).max(1).optional(),
  typical_p: z.number().min(0).max(1).optional(),
  repeat_penalty: z.number().positive().optional(),
  repeat_last_n: z
    .int()
    .min(0)
    .max(1 << 24)
    .optional(),
  presence_penalty: z.number().optional(),
  frequency_penalty: z.number().optional(),
  logit_bias: z
    .union([
      z.record(z.string().regex(/^\d+$/, "a token id"), z.number()),
      z.array(z.tuple([z.int().min(0), z.union([z.number(), z.literal(false)])])),
    ])
    .optional(),
  seed: z.int().optional().describe("Same seed, same answer; -1: a new one"),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(64)]).optional(),
  ignore_eos: z.boolean().optional(),
};

/** What of the engine's options they are. */
export function samplingOptions(body: SamplingBody): AnswerOptions {
  const { stop, seed, top_k: topK } = body;
  const named = {
    temperature: body.temperature,
    topP: body.top_p,
    topK: topK === undefined ? undefined : Math.max(0, topK),
    minP: body.min_p,
    typicalP: body.typical_p,
    repetitionPenalty: body.repeat_penalty,
    penaltyWindow: body.repeat_last_n,
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    ignoreEos: body.ignore_eos,
    logitBias: body.logit_bias,
    // OpenAI's seeds have 64 bits, llama.cpp's -1 stands for a new one.
    seed: seed === undefined || seed === -1 ? undefined : seed >>> 0,
    stop: typeof stop === "string" ? [stop] : stop,
  };
  return defined(named);
}
