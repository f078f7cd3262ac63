/** What answers of chat and completions have in common: usage, timings, reasons, log-probabilities. */

import { ownVersion } from "../../core/version.ts";
import type {
  FinishReason,
  GenerationProgress,
  GenerationResult,
  Tokenizer,
  TokenLogprob,
} from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import type { AnswerEvent, AnswerToken } from "../answers/request.ts";
import type { TellingBody } from "../answers/telling-fields.ts";

/** Which build answered: the same seed gives the same tokens with the same one. It begins as llama-server's do. */
export const systemFingerprint: string = `b${ownVersion()}-hearth`;

const finishReasons: Readonly<Record<FinishReason, "stop" | "length">> = {
  stop: "stop",
  length: "length",
  context: "length",
  // The client has gone, or the server ends at once.
  abort: "stop",
};

export function finishReasonOf({ finishReason }: GenerationResult): "stop" | "length" {
  return finishReasons[finishReason];
}

/** Of all answers: the prompt counts once for each prompt, as OpenAI counts it. */
export function usageOf(results: readonly GenerationResult[], answersToEach: number): object {
  const prompts = results.filter((_, i) => i % answersToEach === 0);
  const sum = (
    of: readonly GenerationResult[],
    count: (result: GenerationResult) => number,
  ): number => of.reduce((all, result) => all + count(result), 0);
  const prompt = sum(prompts, ({ promptTokens }) => promptTokens);
  const completion = sum(results, ({ completionTokens }) => completionTokens);
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum(prompts, ({ cachedTokens }) => cachedTokens) },
  };
}

/** As llama-server reports them, of the last answer. */
export function timingsOf(result: GenerationProgress): object {
  const { promptTokens, cachedTokens, completionTokens, timings } = result;
  const { promptMilliseconds, decodeMilliseconds } = timings;
  const read = promptTokens - cachedTokens;
  return {
    cache_n: cachedTokens,
    prompt_n: read,
    prompt_ms: promptMilliseconds,
    prompt_per_token_ms: promptMilliseconds / Math.max(1, read),
    prompt_per_second: timings.promptTokensPerSecond,
    predicted_n: completionTokens,
    predicted_ms: decodeMilliseconds,
    predicted_per_token_ms: decodeMilliseconds / Math.max(1, completionTokens),
    predicted_per_second: timings.decodeTokensPerSecond,
  };
}

/** What is told of a stream's answers with a token or the reading of a prompt. */
export function toldWith(
  { choice, token, progress }: Extract<AnswerEvent, { kind: "delta" }>,
  answers: Pick<Answers, "soFar">,
  { timings_per_token = false }: TellingBody,
): object {
  return {
    ...(progress && { prompt_progress: progress }),
    ...(timings_per_token && token && { timings: timingsOf(answers.soFar(choice)) }),
  };
}

/** Of each token of an answer, for `logprobs.content`. With `post_sampling_probs` they have probabilities, as llama-server's. */
export function tokenLogprobs(
  tokens: readonly AnswerToken[],
  { model }: Pick<Answers, "model">,
  { post_sampling_probs: isDrawn = false }: TellingBody = {},
): object[] {
  const { tokenizer } = model.engine;
  const described = ({ token, logprob }: TokenLogprob): object => ({
    id: token,
    token: tokenText(token, tokenizer),
    // Exact where the text of a token alone is not a whole character.
    bytes: [...tokenizer.pieceBytes(token)],
    ...(isDrawn ? { prob: Math.exp(logprob) } : { logprob }),
  });
  return tokens.map(({ id, logprob = 0, topLogprobs = [] }) => ({
    ...described({ token: id, logprob }),
    [isDrawn ? "top_probs" : "top_logprobs"]: topLogprobs.map(described),
  }));
}

/** Of a token that is a part of a character, the sign of a replacement. */
export function tokenText(id: number, tokenizer: Tokenizer): string {
  return Buffer.from(tokenizer.pieceBytes(id)).toString("utf8");
}
