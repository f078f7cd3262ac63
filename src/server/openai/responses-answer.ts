/** Answers of `/v1/responses`: the response, and its items. */
import { randomUUID } from "node:crypto";
import type { Reply, ToolCall } from "../../index.ts";
import type { AnswerFeed } from "../answers/answers.ts";
import type { AnswerResult, AnswerToken } from "../answers/request.ts";
import { timingsOf, tokenLogprobs } from "./answer-parts.ts";
import { logprobsOf, type ResponsesBody } from "./responses-body.ts";

type Status = "in_progress" | "completed" | "incomplete";

export async function wholeResponse(answers: AnswerFeed, body: ResponsesBody): Promise<object> {
  const [answer] = await answers.whole();
  if (answer === undefined) throw new RangeError("a request has one prompt");
  const { result, tokens } = answer;
  const head = responseHead(answers, body);
  return endedResponse(head, itemsOf(answers, body, { result, tokens }), { answers, result });
}

/** What does not change while it is written. */
export function responseHead({ model }: Pick<AnswerFeed, "model">, body: ResponsesBody): object {
  return {
    id: responseId("resp"),
    object: "response",
    created_at: Math.floor(Date.now() / 1000),
    model: model.name,
    error: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    metadata: {},
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    store: false,
    temperature: body.temperature ?? null,
    text: { format: body.text?.format ?? { type: "text" } },
    tool_choice: body.tool_choice ?? "auto",
    tools: body.tools ?? [],
    top_p: body.top_p ?? null,
    truncation: "disabled",
  };
}

export function begunResponse(head: object): object {
  return { ...head, status: "in_progress", incomplete_details: null, output: [], usage: null };
}

export function endedResponse(
  head: object,
  output: readonly object[],
  { answers, result }: { readonly answers: AnswerFeed; readonly result: AnswerResult },
): object {
  const isCut = isIncomplete(result);
  return {
    ...head,
    status: statusOf(result),
    completed_at: isCut ? null : Math.floor(Date.now() / 1000),
    incomplete_details: isCut ? { reason: "max_output_tokens" } : null,
    output,
    usage: usageOf(result, answers),
    timings: timingsOf(result),
  };
}

export function isIncomplete({ finishReason }: AnswerResult): boolean {
  return finishReason === "length" || finishReason === "context";
}

function statusOf(result: AnswerResult): Status {
  return isIncomplete(result) ? "incomplete" : "completed";
}

export function responseId(kind: "resp" | "msg" | "rs" | "fc"): string {
  return `${kind}_${randomUUID().replaceAll("-", "")}`;
}

export function reasoningItem(id: string, text: string, status: Status): object {
  const content = text === "" ? [] : [{ type: "reasoning_text", text }];
  return { id, type: "reasoning", summary: [], content, status };
}

export function messageItem(id: string, content: readonly object[], status: Status): object {
  return { id, type: "message", role: "assistant", status, content };
}

export function textPart(text: string, logprobs: readonly object[] = []): object {
  return { type: "output_text", text, annotations: [], logprobs };
}

export function callItem(id: string, call: ToolCall, status: Status): object {
  const { id: call_id, name, arguments: given } = call;
  return { id, type: "function_call", call_id, name, arguments: given, status };
}

/** Thoughts, then what is said, then calls; a message at least, where nothing was called. */
function itemsOf(
  answers: AnswerFeed,
  body: ResponsesBody,
  { result, tokens }: { readonly result: AnswerResult; readonly tokens: readonly AnswerToken[] },
): readonly object[] {
  const { text, reply } = result;
  const { content = text, reasoning = "", toolCalls = [] }: Partial<Reply> = reply ?? {};
  const status = statusOf(result);
  const isSaid = content !== "" || toolCalls.length === 0;
  const scores = logprobsOf(body) === undefined ? [] : tokenLogprobs(tokens, answers);
  return [
    ...(reasoning === "" ? [] : [reasoningItem(responseId("rs"), reasoning, status)]),
    ...(isSaid ? [messageItem(responseId("msg"), [textPart(content, scores)], status)] : []),
    ...toolCalls.map((call) => callItem(responseId("fc"), call, "completed")),
  ];
}

/** Thoughts are counted by their text: which tokens stand around them a template knows. */
function usageOf(result: AnswerResult, { model }: Pick<AnswerFeed, "model">): object {
  const { promptTokens, cachedTokens, completionTokens, reply } = result;
  const thoughts = model.engine.tokenizer.encode(reply?.reasoning ?? "", {
    addBos: "never",
    addEos: "never",
  });
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: completionTokens,
    output_tokens_details: { reasoning_tokens: Math.min(thoughts.length, completionTokens) },
    total_tokens: promptTokens + completionTokens,
  };
}
