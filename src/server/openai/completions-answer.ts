/** Answers as `text_completion`, whole and in a stream. */
import { randomUUID } from "node:crypto";
import type { GenerationResult } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import type { AnswerEvent, AnswerPrompt, AnswerToken, WholeAnswer } from "../answers/request.ts";
import { dataEvent, doneEvent } from "../sse.ts";
import {
  finishReasonOf,
  systemFingerprint,
  timingsOf,
  tokenText,
  usageOf,
} from "./answer-parts.ts";
import { type CompletionBody, promptsOf } from "./completions-body.ts";

function head({ model }: Answers): object {
  return {
    id: `cmpl-${randomUUID()}`,
    object: "text_completion",
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    system_fingerprint: systemFingerprint,
  };
}

export async function textCompletion(answers: Answers, body: CompletionBody): Promise<object> {
  const { n = 1, logprobs } = body;
  const echoes = echoesOf(body, answers);
  const whole = await answers.whole();
  const results = whole.map(({ result }) => result);
  const last = results.at(-1);
  const choiceOf = ({ choice, tokens, result }: WholeAnswer): object => ({
    index: choice,
    text: `${echoes[Math.floor(choice / n)] ?? ""}${result.text}`,
    logprobs: logprobs === undefined ? null : legacyLogprobs(tokens, answers, 0),
    finish_reason: finishReasonOf(result),
  });
  return {
    ...head(answers),
    choices: whole.map(choiceOf),
    usage: usageOf(results, n),
    ...(last && { timings: timingsOf(last) }),
  };
}

export async function* completionChunks(
  answers: Answers,
  body: CompletionBody,
): AsyncGenerator<string> {
  const { n = 1, stream_options: { include_usage: withUsage = false } = {} } = body;
  const echoes = echoesOf(body, answers);
  const begin = head(answers);
  const usage = withUsage ? { usage: null } : {};
  const results: GenerationResult[] = [];
  const lengths: number[] = [];
  for (const [prompt, text] of echoes.entries()) {
    for (let i = 0; i < n; i++) {
      yield dataEvent({ ...begin, choices: [chunkChoice(prompt * n + i, text)], ...usage });
    }
  }
  for await (const event of answers) {
    const { choice } = event;
    if (event.kind === "delta") {
      if (event.text === "" && body.logprobs === undefined) continue;
      const offset = lengths[choice] ?? 0;
      lengths[choice] = offset + event.text.length;
      const own = {
        ...chunkChoice(choice, event.text),
        ...scoresOf(event, answers, { offset, body }),
      };
      yield dataEvent({ ...begin, choices: [own], ...usage });
      continue;
    }
    results[choice] = event.result;
    const end = { ...chunkChoice(choice, ""), finish_reason: finishReasonOf(event.result) };
    const isLast = !withUsage && results.filter(Boolean).length === answers.choices;
    const timings = isLast ? { timings: timingsOf(event.result) } : {};
    yield dataEvent({ ...begin, choices: [end], ...usage, ...timings });
  }
  const last = results.at(-1);
  if (withUsage && last !== undefined) {
    yield dataEvent({
      ...begin,
      choices: [],
      usage: usageOf(results, n),
      timings: timingsOf(last),
    });
  }
  yield doneEvent;
}

function chunkChoice(index: number, text: string): object {
  return { index, text, logprobs: null, finish_reason: null };
}

function scoresOf(
  { token }: Extract<AnswerEvent, { kind: "delta" }>,
  answers: Answers,
  { offset, body }: { readonly offset: number; readonly body: CompletionBody },
): object {
  if (body.logprobs === undefined || token === undefined) return {};
  return { logprobs: legacyLogprobs([token], answers, offset) };
}

/** With `echo`, the text of each prompt; else nothing. */
function echoesOf({ echo, prompt }: CompletionBody, { model }: Answers): readonly string[] {
  if (!echo) return [];
  return promptsOf(prompt).map((one) => promptText(one, model.engine));
}

function promptText(prompt: AnswerPrompt, engine: Answers["model"]["engine"]): string {
  if (prompt.kind === "text") return prompt.text;
  return prompt.kind === "tokens" ? engine.detokenize(prompt.tokens) : "";
}

/** OpenAI's older form. `offset`: characters of the answer before the first of the tokens. */
function legacyLogprobs(
  tokens: readonly AnswerToken[],
  { model }: Answers,
  offset: number,
): object {
  const { tokenizer } = model.engine;
  const texts = tokens.map(({ id }) => tokenText(id, tokenizer));
  let at = offset;
  const offsets = texts.map((text) => {
    at += text.length;
    return at - text.length;
  });
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ topLogprobs = [] }) =>
      Object.fromEntries(
        topLogprobs.map(({ token, logprob }) => [tokenText(token, tokenizer), logprob]),
      ),
    ),
    text_offset: offsets,
  };
}
