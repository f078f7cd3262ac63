/** Answers of `/v1/messages`, whole and as events, in the order that clients take for granted. */
import { randomUUID } from "node:crypto";
import type { ReplyEvent } from "../../index.ts";
import type { AnswerFeed } from "../answers/answers.ts";
import type { AnswerResult } from "../answers/request.ts";
import { requireThinking } from "../answers/thinking.ts";
import { namedEvent } from "../sse.ts";
import { conversationOf, type MessagesBody } from "./messages-body.ts";

export async function wholeMessage(answers: AnswerFeed, body: MessagesBody): Promise<object> {
  checkThinking(answers, body);
  const [answer] = await answers.whole();
  if (answer === undefined) throw new RangeError("a request has one prompt");
  const { result } = answer;
  return {
    ...head(answers),
    content: blocksOf(result),
    ...ending(result, body),
    usage: usageOf(result),
  };
}

export async function* messageEvents(
  answers: AnswerFeed,
  body: MessagesBody,
): AsyncGenerator<string> {
  checkThinking(answers, body);
  const { messages, template, tools } = conversationOf(body);
  const prompt = await answers.model.engine.encodeChat(messages, { ...template, tools });
  // How much of it the cache holds is known at the end: message_delta corrects this.
  const usage = { input_tokens: prompt.length, output_tokens: 0 };
  const message = { ...head(answers), content: [], stop_reason: null, stop_sequence: null, usage };
  yield event({ type: "message_start", message });
  const blocks = new BlockWriter();
  for await (const step of answers) {
    if (step.kind === "delta") {
      const { reply = [{ kind: "content", text: step.text } as const] } = step;
      for (const said of reply) yield* blocks.write(said);
      continue;
    }
    yield* blocks.end();
    const { result } = step;
    yield event({ type: "message_delta", delta: ending(result, body), usage: usageOf(result) });
    yield event({ type: "message_stop" });
  }
}

/** One block is open at a time: thoughts, text, or a call. */
class BlockWriter {
  #open: string | undefined;
  #index = -1;

  *write(said: ReplyEvent): Generator<string> {
    switch (said.kind) {
      case "content":
        if (said.text === "") return;
        yield* this.#begin("text", { type: "text", text: "" });
        yield this.#delta({ type: "text_delta", text: said.text });
        return;
      case "reasoning":
        yield* this.#begin("thinking", { type: "thinking", thinking: "", signature: "" });
        yield this.#delta({ type: "thinking_delta", thinking: said.text });
        return;
      case "call": {
        const { id, name } = said;
        yield* this.#begin(`call ${said.index}`, { type: "tool_use", id, name, input: {} });
        return;
      }
      case "arguments":
        yield this.#delta({ type: "input_json_delta", partial_json: said.text });
        return;
      case "call-end":
        yield* this.#close();
        return;
      case "notice":
        return;
      default:
        said satisfies never;
    }
  }

  /** An answer has one block at least. */
  *end(): Generator<string> {
    if (this.#index < 0) yield* this.#begin("text", { type: "text", text: "" });
    yield* this.#close();
  }

  *#begin(kind: string, content_block: object): Generator<string> {
    if (this.#open === kind) return;
    yield* this.#close();
    this.#open = kind;
    this.#index++;
    yield event({ type: "content_block_start", index: this.#index, content_block });
    if (this.#index === 0) yield pingEvent;
  }

  *#close(): Generator<string> {
    if (this.#open === undefined) return;
    this.#open = undefined;
    yield event({ type: "content_block_stop", index: this.#index });
  }

  #delta(delta: object): string {
    return event({ type: "content_block_delta", index: this.#index, delta });
  }
}

/** @throws RequestError where thoughts are wanted of a model whose template does not know of them */
function checkThinking({ model }: AnswerFeed, { thinking }: MessagesBody): void {
  if (thinking?.type !== "enabled") return;
  requireThinking(model.engine, { enable_thinking: true }, "thinking");
}

function blocksOf({ text, reply }: AnswerResult): readonly object[] {
  const { content = text, reasoning = "", toolCalls = [] } = reply ?? {};
  const calls = toolCalls.map(({ id, name, arguments: given }) => {
    return { type: "tool_use", id, name, input: JSON.parse(given) };
  });
  const isSaid = content !== "" || (calls.length === 0 && reasoning === "");
  return [
    ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: "" }]),
    ...(isSaid ? [{ type: "text", text: content }] : []),
    ...calls,
  ];
}

/** An event's name is its type. */
function event(value: { readonly type: string; readonly [field: string]: unknown }): string {
  return namedEvent(value.type, value);
}

export const pingEvent: string = event({ type: "ping" });

function head({ model }: Pick<AnswerFeed, "model">): object {
  return {
    id: `msg_${randomUUID().replaceAll("-", "")}`,
    type: "message",
    role: "assistant",
    model: model.name,
  };
}

function ending(
  { finishReason, stopText, reply }: AnswerResult,
  { stop_sequences: stops = [] }: MessagesBody,
): object {
  // A model without a template ends its turns by a text of its own.
  if (stopText !== undefined && stops.includes(stopText))
    return { stop_reason: "stop_sequence", stop_sequence: stopText };
  const isCut = finishReason === "length" || finishReason === "context";
  const hasCalls = (reply?.toolCalls.length ?? 0) > 0;
  const byItself = hasCalls ? "tool_use" : "end_turn";
  return { stop_reason: isCut ? "max_tokens" : byItself, stop_sequence: null };
}

/** What the cache held is counted apart. */
function usageOf({ promptTokens, cachedTokens, completionTokens }: AnswerResult): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}
