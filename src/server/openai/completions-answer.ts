/** Answers as `text_completion`, whole and in a stream. */
import { randomUUID } from "node:crypto";
import type { GenerationResult, PromptToken } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import { promptsIn } from "../answers/prompt-field.ts";
import type { AnswerEvent, AnswerToken, WholeAnswer } from "../answers/request.ts";
import { dataEvent, doneEvent } from "../sse.ts";
import { finishReasonOf, systemFingerprint, timingsOf, toldWith, usageOf } from "./answer-parts.ts";
import type { CompletionBody } from "./completions-body.ts";
import { legacyLogprobs, tokensOfText } from "./legacy-logprobs.ts";

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
  const echoes = await echoesOf(body, answers);
  const whole = await answers.whole();
  const results = whole.map(({ result }) => result);
  const last = results.at(-1);
  const choiceOf = ({ choice, tokens, result }: WholeAnswer): object => {
    const { promptLogprobs = [], text } = result;
    const read = tokensOfText(promptLogprobs, answers, isText(body, choice));
    const all = [...read, ...tokens.map(scored)];
    return {
      index: choice,
      text: `${echoes[Math.floor(choice / n)] ?? ""}${text}`,
      logprobs: logprobs === undefined ? null : legacyLogprobs(all, answers, 0),
      finish_reason: finishReasonOf(result),
    };
  };
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
  const { n = 1, logprobs, stream_options: { include_usage: withUsage = false } = {} } = body;
  const echoes = await echoesOf(body, answers);
  const begin = head(answers);
  const usage = withUsage ? { usage: null } : {};
  const results: GenerationResult[] = [];
  const lengths: number[] = [];
  const chunk = (own: object): string => dataEvent({ ...begin, choices: [own], ...usage });
  if (logprobs === undefined) {
    for (let i = 0; i < n * echoes.length; i++) {
      yield chunk(chunkChoice(i, echoes[Math.floor(i / n)] ?? ""));
    }
  }
  for await (const event of answers) {
    const { choice } = event;
    if (event.kind === "delta") {
      const { promptLogprobs, progress } = event;
      const text = promptLogprobs ? (echoes[Math.floor(choice / n)] ?? "") : event.text;
      const told = toldWith(event, answers, body);
      if (progress !== undefined) {
        yield dataEvent({ ...begin, choices: [chunkChoice(choice, "")], ...usage, ...told });
        continue;
      }
      if (text === "" && logprobs === undefined && !body.timings_per_token) continue;
      const offset = lengths[choice] ?? 0;
      lengths[choice] = offset + text.length;
      const scores = { offset, isText: isText(body, choice) };
      const own = {
        ...chunkChoice(choice, text),
        ...(logprobs !== undefined && scoresOf(event, answers, scores)),
      };
      yield dataEvent({ ...begin, choices: [own], ...usage, ...told });
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

function scored({ id, ...scores }: AnswerToken): PromptToken {
  return { token: id, ...scores };
}

/** Of the prompt, or of a token of the answer. */
function scoresOf(
  { token, promptLogprobs }: Extract<AnswerEvent, { kind: "delta" }>,
  answers: Answers,
  { offset, isText }: { readonly offset: number; readonly isText: boolean },
): object {
  if (promptLogprobs !== undefined) {
    const read = tokensOfText(promptLogprobs, answers, isText);
    return { logprobs: legacyLogprobs(read, answers, offset) };
  }
  return token === undefined ? {} : { logprobs: legacyLogprobs([scored(token)], answers, offset) };
}

/** Whether the prompt of an answer is a text, in front of which the model may put a token of its own. */
function isText({ prompt, n = 1 }: CompletionBody, choice: number): boolean {
  return typeof promptsIn(prompt)[Math.floor(choice / n)] === "string";
}

/** With `echo`, the text of each prompt; else nothing. */
async function echoesOf(
  { echo = false, n = 1, prompt }: CompletionBody,
  answers: Answers,
): Promise<readonly string[]> {
  if (!echo) return [];
  const prompts = promptsIn(prompt);
  return await Promise.all(
    prompts.map((one, i) => (typeof one === "string" ? one : answers.promptText(i * n))),
  );
}
