/** Answers of `/v1/messages`, whole and as events, in the order that clients take for granted. */
import { randomUUID } from "node:crypto";
import type { GenerationResult } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import { namedEvent } from "../sse.ts";
import { conversationOf, type MessagesBody } from "./messages-body.ts";

export async function wholeMessage(answers: Answers): Promise<object> {
  const [answer] = await answers.whole();
  if (answer === undefined) throw new RangeError("a request has one prompt");
  const { result } = answer;
  return {
    ...head(answers),
    content: [{ type: "text", text: result.text }],
    ...ending(result),
    usage: usageOf(result),
  };
}

export async function* messageEvents(answers: Answers, body: MessagesBody): AsyncGenerator<string> {
  const { engine } = answers.model;
  const prompt = await engine.encodeChat(conversationOf(body));
  // How much of it the cache holds is known at the end: message_delta corrects this.
  const usage = { input_tokens: prompt.length, output_tokens: 0 };
  const message = { ...head(answers), content: [], stop_reason: null, stop_sequence: null, usage };
  const index = 0;
  yield event({ type: "message_start", message });
  yield event({ type: "content_block_start", index, content_block: { type: "text", text: "" } });
  yield pingEvent;
  for await (const { kind, ...step } of answers) {
    if ("text" in step) {
      const delta = { type: "text_delta", text: step.text };
      if (kind === "delta" && step.text !== "") {
        yield event({ type: "content_block_delta", index, delta });
      }
    } else {
      yield event({ type: "content_block_stop", index });
      yield event({
        type: "message_delta",
        delta: ending(step.result),
        usage: usageOf(step.result),
      });
      yield event({ type: "message_stop" });
    }
  }
}

/** An event's name is its type. */
function event(value: { readonly type: string; readonly [field: string]: unknown }): string {
  return namedEvent(value.type, value);
}

export const pingEvent: string = event({ type: "ping" });

function head({ model }: Answers): object {
  return {
    id: `msg_${randomUUID().replaceAll("-", "")}`,
    type: "message",
    role: "assistant",
    model: model.name,
  };
}

function ending({ finishReason, stopText }: GenerationResult): object {
  if (stopText !== undefined) return { stop_reason: "stop_sequence", stop_sequence: stopText };
  const isCut = finishReason === "length" || finishReason === "context";
  return { stop_reason: isCut ? "max_tokens" : "end_turn", stop_sequence: null };
}

/** What the cache held is counted apart. */
function usageOf({ promptTokens, cachedTokens, completionTokens }: GenerationResult): object {
  return {
    input_tokens: promptTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: completionTokens,
  };
}
