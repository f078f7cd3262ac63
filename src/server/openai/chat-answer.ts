/** Answers as `chat.completion` and, in a stream, `chat.completion.chunk`. */
import { randomUUID } from "node:crypto";
import type { GenerationResult } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import type { AnswerEvent, WholeAnswer } from "../answers/request.ts";
import { dataEvent, doneEvent } from "../sse.ts";
import {
  finishReasonOf,
  systemFingerprint,
  timingsOf,
  tokenLogprobs,
  usageOf,
} from "./answer-parts.ts";
import type { ChatBody } from "./chat-body.ts";

interface Envelope {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

function envelope({ model }: Answers): Envelope {
  return {
    id: `chatcmpl-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: model.name,
    system_fingerprint: systemFingerprint,
  };
}

export async function chatCompletion(
  answers: Answers,
  { n = 1, logprobs }: ChatBody,
): Promise<object> {
  const whole = await answers.whole();
  const results = whole.map(({ result }) => result);
  const last = results.at(-1);
  const choiceOf = ({ choice, tokens, result }: WholeAnswer): object => ({
    index: choice,
    message: { role: "assistant", content: result.text, refusal: null },
    logprobs: logprobs ? { content: tokenLogprobs(tokens, answers), refusal: null } : null,
    finish_reason: finishReasonOf(result),
  });
  return {
    ...envelope(answers),
    object: "chat.completion",
    choices: whole.map(choiceOf),
    usage: usageOf(results, n),
    ...(last && { timings: timingsOf(last) }),
  };
}

/** The events of a stream: each choice begins with its role and ends with its reason; then usage, if asked for. */
export async function* chatChunks(answers: Answers, body: ChatBody): AsyncGenerator<string> {
  const { n = 1, stream_options: { include_usage: withUsage = false } = {} } = body;
  const head = { ...envelope(answers), object: "chat.completion.chunk" };
  const usage = withUsage ? { usage: null } : {};
  const results: GenerationResult[] = [];
  const began = new Set<number>();
  for await (const event of answers) {
    const { choice } = event;
    if (!began.has(choice)) {
      began.add(choice);
      const delta = { role: "assistant", content: "" };
      yield dataEvent({ ...head, choices: [chunkChoice(choice, delta)], ...usage });
    }
    if (event.kind === "delta") {
      if (event.text === "" && !body.logprobs) continue;
      yield dataEvent({ ...head, choices: [deltaChoice(event, answers, body)], ...usage });
      continue;
    }
    results[choice] = event.result;
    const end = { ...chunkChoice(choice, {}), finish_reason: finishReasonOf(event.result) };
    const isLast = !withUsage && results.filter(Boolean).length === answers.choices;
    const timings = isLast ? { timings: timingsOf(event.result) } : {};
    yield dataEvent({ ...head, choices: [end], ...usage, ...timings });
  }
  const last = results.at(-1);
  if (withUsage && last !== undefined) {
    yield dataEvent({ ...head, choices: [], usage: usageOf(results, n), timings: timingsOf(last) });
  }
  yield doneEvent;
}

function deltaChoice(
  { choice, text, token }: Extract<AnswerEvent, { kind: "delta" }>,
  answers: Answers,
  { logprobs }: ChatBody,
): object {
  const own = chunkChoice(choice, { content: text });
  if (!logprobs || token === undefined) return own;
  return { ...own, logprobs: { content: tokenLogprobs([token], answers), refusal: null } };
}

function chunkChoice(index: number, delta: object): object {
  return { index, delta, logprobs: null, finish_reason: null };
}
