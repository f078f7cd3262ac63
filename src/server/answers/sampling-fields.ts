/** Fields about sampling that several dialects take, and what of `GenerateOptions` they are. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type { LogitBias } from "../../index.ts";
import type { AnswerOptions } from "./request.ts";

/** Of a body, as it was judged. Fields that are absent leave hearth's defaults. */
export interface SamplingBody {
  readonly temperature?: number | undefined;
  readonly top_p?: number | undefined;
  readonly top_k?: number | undefined;
  readonly min_p?: number | undefined;
  readonly typical_p?: number | undefined;
  readonly top_n_sigma?: number | undefined;
  readonly xtc_probability?: number | undefined;
  readonly xtc_threshold?: number | undefined;
  readonly dynatemp_range?: number | undefined;
  readonly dynatemp_exponent?: number | undefined;
  readonly mirostat?: 0 | 1 | 2 | undefined;
  readonly mirostat_tau?: number | undefined;
  readonly mirostat_eta?: number | undefined;
  readonly dry_multiplier?: number | undefined;
  readonly dry_base?: number | undefined;
  readonly dry_allowed_length?: number | undefined;
  readonly dry_penalty_last_n?: number | undefined;
  readonly dry_sequence_breakers?: readonly string[] | undefined;
  readonly repeat_penalty?: number | undefined;
  readonly repeat_last_n?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly logit_bias?: LogitBias | undefined;
  readonly seed?: number | undefined;
  readonly stop?: string | readonly string[] | undefined;
  readonly ignore_eos?: boolean | undefined;
}

/** Whole tokens back; -1: the whole context, to which Answers cuts all windows. */
const longestWindow = 1 << 24;
const windowField = z.int().min(-1).max(longestWindow).optional().describe("-1: the whole context");
const amountField = z.number().min(0).optional();
const shareField = z.number().min(0).max(1).optional();

const biasField = z.union([z.number(), z.literal(false)]).describe("false forbids the token");

/** To be spread into the schema of a body. */
export const samplingFields: {
  readonly [Name in keyof Required<SamplingBody>]: z.ZodType<SamplingBody[Name]>;
} = {
  temperature: amountField,
  top_p: shareField,
  top_k: z.int().min(-1).optional().describe("0 or -1 keeps all"),
  min_p: shareField,
  typical_p: shareField,
  top_n_sigma: z.number().optional().describe("0 or less keeps all"),
  xtc_probability: shareField,
  xtc_threshold: shareField,
  dynatemp_range: amountField,
  dynatemp_exponent: amountField,
  mirostat: z.union([z.literal(0), z.literal(1), z.literal(2)]).optional(),
  mirostat_tau: amountField,
  mirostat_eta: amountField,
  dry_multiplier: amountField,
  dry_base: amountField,
  dry_allowed_length: z.int().min(0).optional(),
  dry_penalty_last_n: windowField,
  dry_sequence_breakers: z.array(z.string().min(1)).max(64).optional(),
  repeat_penalty: z.number().positive().optional(),
  repeat_last_n: windowField,
  presence_penalty: z.number().optional(),
  frequency_penalty: z.number().optional(),
  logit_bias: z
    .union([
      z.record(z.string().min(1), biasField),
      z.array(z.tuple([z.union([z.int().min(0), z.string().min(1)]), biasField])),
    ])
    .optional()
    .describe("By id or text; or pairs of either and bias, as llama-server takes them"),
  // Of 64 bits, as Ollama's and OpenAI's clients draw them: z.int() takes 53.
  seed: z
    .number()
    .refine(Number.isInteger, "a whole number")
    .meta({ type: "integer" })
    .optional()
    .describe("Same seed, same answer; -1: a new one"),
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
    // llama.cpp's "off" is -1.
    topNSigma: body.top_n_sigma === undefined ? undefined : Math.max(0, body.top_n_sigma),
    xtcProbability: body.xtc_probability,
    xtcThreshold: body.xtc_threshold,
    dynatempRange: body.dynatemp_range,
    dynatempExponent: body.dynatemp_exponent,
    mirostat: body.mirostat,
    mirostatTau: body.mirostat_tau,
    mirostatEta: body.mirostat_eta,
    dryMultiplier: body.dry_multiplier,
    dryBase: body.dry_base,
    dryAllowedLength: body.dry_allowed_length,
    dryPenaltyLastN: windowOf(body.dry_penalty_last_n),
    drySequenceBreakers: body.dry_sequence_breakers,
    repetitionPenalty: body.repeat_penalty,
    penaltyWindow: windowOf(body.repeat_last_n),
    presencePenalty: body.presence_penalty,
    frequencyPenalty: body.frequency_penalty,
    ignoreEos: body.ignore_eos,
    logitBias: biasOf(body.logit_bias),
    // OpenAI's seeds have 64 bits, llama.cpp's -1 stands for a new one.
    seed: seed === undefined || seed === -1 ? undefined : seed >>> 0,
    stop: typeof stop === "string" ? [stop] : stop,
  };
  return defined(named);
}

/** Texts among the names of an object, as llama-server takes them. */
function biasOf(bias: LogitBias | undefined): LogitBias | undefined {
  if (bias === undefined || Array.isArray(bias)) return bias;
  const entries = Object.entries(bias);
  if (entries.every(([name]) => /^\d+$/.test(name))) return bias;
  return entries.map(([name, value]) => [/^\d+$/.test(name) ? Number(name) : name, value]);
}

function windowOf(tokens: number | undefined): number | undefined {
  return tokens === -1 ? longestWindow : tokens;
}
