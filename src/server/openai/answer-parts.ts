/** What answers of chat and completions have in common: usage, timings, reasons, log-probabilities. */

import { ownVersion } from "../../core/version.ts";
import type { FinishReason, GenerationResult, Tokenizer, TokenLogprob } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import type { AnswerToken } from "../answers/request.ts";

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
export function timingsOf(result: GenerationResult): object {
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

/** Of each token of an answer, for `logprobs.content`. */
export function tokenLogprobs(
  tokens: readonly AnswerToken[],
  { model }: Pick<Answers, "model">,
): object[] {
  const { tokenizer } = model.engine;
  return tokens.map(({ id, logprob = 0, topLogprobs = [] }) => ({
    ...describeToken({ token: id, logprob }, tokenizer),
    top_logprobs: topLogprobs.map((one) => describeToken(one, tokenizer)),
  }));
}

/** Of a token that is a part of a character, the sign of a replacement. */
export function tokenText(id: number, tokenizer: Tokenizer): string {
  return Buffer.from(tokenizer.pieceBytes(id)).toString("utf8");
}

/** `bytes` are exact where the text of a token alone is not a whole character. */
function describeToken({ token, logprob }: TokenLogprob, tokenizer: Tokenizer): object {
  const bytes = tokenizer.pieceBytes(token);
  return { token: tokenText(token, tokenizer), id: token, logprob, bytes: [...bytes] };
}
