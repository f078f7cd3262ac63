/** Answers as `chat.completion` and, in a stream, `chat.completion.chunk`. */
import { randomUUID } from "node:crypto";
import type { Reply, ReplyEvent } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import type { AnswerEvent, AnswerResult, WholeAnswer } from "../answers/request.ts";
import { dataEvent, doneEvent } from "../sse.ts";
import {
  finishReasonOf,
  systemFingerprint,
  timingsOf,
  tokenLogprobs,
  toldWith,
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

export async function chatCompletion(answers: Answers, body: ChatBody): Promise<object> {
  const { n = 1, logprobs } = body;
  const whole = await answers.whole();
  const results = whole.map(({ result }) => result);
  const last = results.at(-1);
  const choiceOf = ({ choice, tokens, result }: WholeAnswer): object => ({
    index: choice,
    message: messageOf(result),
    logprobs: logprobs ? { content: tokenLogprobs(tokens, answers, body), refusal: null } : null,
    finish_reason: chatFinishReason(result),
    ...noticesOf(result),
  });
  return {
    ...envelope(answers),
    object: "chat.completion",
    choices: whole.map(choiceOf),
    usage: usageOf(results, n),
    ...(last && { timings: timingsOf(last) }),
  };
}

function messageOf({ text, reply }: AnswerResult): object {
  const { content = text, reasoning = "", toolCalls = [] }: Partial<Reply> = reply ?? {};
  const calls = toolCalls.map(({ id, name, arguments: given }) => {
    return { id, type: "function", function: { name, arguments: given } };
  });
  return {
    role: "assistant",
    content: content === "" && calls.length > 0 ? null : content,
    refusal: null,
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
}

function chatFinishReason(result: AnswerResult): "stop" | "length" | "tool_calls" {
  const reason = finishReasonOf(result);
  const hasCalls = (result.reply?.toolCalls.length ?? 0) > 0;
  return reason === "stop" && hasCalls ? "tool_calls" : reason;
}

/** A field of hearth's own: what looked like a call and is none. */
function noticesOf({ reply }: AnswerResult): object {
  return reply === undefined || reply.notices.length === 0 ? {} : { notices: reply.notices };
}

/** The events of a stream: each choice begins with its role and ends with its reason; then usage, if asked for. */
export async function* chatChunks(answers: Answers, body: ChatBody): AsyncGenerator<string> {
  const { n = 1, stream_options: { include_usage: withUsage = false } = {} } = body;
  const head = { ...envelope(answers), object: "chat.completion.chunk" };
  const usage = withUsage ? { usage: null } : {};
  const results: AnswerResult[] = [];
  const began = new Set<number>();
  for await (const event of answers) {
    const { choice } = event;
    if (!began.has(choice)) {
      began.add(choice);
      const delta = { role: "assistant", content: null };
      yield dataEvent({ ...head, choices: [chunkChoice(choice, delta)], ...usage });
    }
    if (event.kind === "delta") {
      const told = toldWith(event, answers, body);
      for (const own of deltaChoices(event, answers, body)) {
        yield dataEvent({ ...head, choices: [own], ...usage, ...told });
      }
      continue;
    }
    results[choice] = event.result;
    const finish_reason = chatFinishReason(event.result);
    const end = { ...chunkChoice(choice, {}), finish_reason, ...noticesOf(event.result) };
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

/** One for each thing that became certain with a token; the token's log-probability stands in the first, or in one of its own. */
function deltaChoices(
  { choice, token, reply = [], progress }: Extract<AnswerEvent, { kind: "delta" }>,
  answers: Answers,
  body: ChatBody,
): readonly object[] {
  if (progress !== undefined) return [chunkChoice(choice, {})];
  const deltas = reply.map(deltaOf).filter((delta) => delta !== undefined);
  const choices = deltas.map((delta) => chunkChoice(choice, delta));
  if (!body.logprobs || token === undefined) return choices;
  const [first = chunkChoice(choice, { content: "" }), ...others] = choices;
  const scores = { content: tokenLogprobs([token], answers, body), refusal: null };
  return [{ ...first, logprobs: scores }, ...others];
}

function deltaOf(event: ReplyEvent): object | undefined {
  switch (event.kind) {
    case "content":
      return { content: event.text };
    case "reasoning":
      return { reasoning_content: event.text };
    case "call": {
      const { index, id, name } = event;
      return { tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }] };
    }
    case "arguments":
      return { tool_calls: [{ index: event.index, function: { arguments: event.text } }] };
    case "call-end":
    case "notice":
      return undefined;
    default:
      return event satisfies never;
  }
}

function chunkChoice(index: number, delta: object): object {
  return { index, delta, logprobs: null, finish_reason: null };
}
