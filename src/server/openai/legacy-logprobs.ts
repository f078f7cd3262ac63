/** Log-probabilities in OpenAI's older form: of an answer's tokens, and of its prompt's. */
import type { PromptToken } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import { tokenText } from "./answer-parts.ts";

/** A token that the model adds in front of a text is no part of it. */
export function tokensOfText(
  tokens: readonly PromptToken[],
  { model }: Pick<Answers, "model">,
  isText: boolean,
): readonly PromptToken[] {
  const { addsBos, bos } = model.engine.tokenizer.special;
  return isText && addsBos && tokens[0]?.token === bos ? tokens.slice(1) : tokens;
}

/** `offset`: characters of the text before the first of the tokens. */
export function legacyLogprobs(
  tokens: readonly PromptToken[],
  { model }: Pick<Answers, "model">,
  offset: number,
): object {
  const { tokenizer } = model.engine;
  const texts = tokens.map(({ token }) => tokenText(token, tokenizer));
  let at = offset;
  const offsets = texts.map((text) => {
    at += text.length;
    return at - text.length;
  });
  return {
    tokens: texts,
    // Nothing predicts the first token of all.
    token_logprobs: tokens.map(({ logprob }) => logprob ?? null),
    top_logprobs: tokens.map(({ logprob, topLogprobs = [] }) =>
      logprob === undefined
        ? null
        : Object.fromEntries(
            topLogprobs.map((one) => [tokenText(one.token, tokenizer), one.logprob]),
          ),
    ),
    text_offset: offsets,
  };
}
