/** `/v1/responses` as a stream: numbered events, one item open at a time. */
import type { ReplyEvent, ToolCall } from "../../index.ts";
import type { AnswerFeed } from "../answers/answers.ts";
import type { AnswerToken } from "../answers/request.ts";
import { namedEvent } from "../sse.ts";
import { tokenLogprobs } from "./answer-parts.ts";
import {
  begunResponse,
  callItem,
  endedResponse,
  isIncomplete,
  messageItem,
  reasoningItem,
  responseHead,
  responseId,
  textPart,
} from "./responses-answer.ts";
import { logprobsOf, type ResponsesBody } from "./responses-body.ts";

export async function* responseEvents(
  answers: AnswerFeed,
  body: ResponsesBody,
): AsyncGenerator<string> {
  const head = responseHead(answers, body);
  const begun = begunResponse(head);
  const items = new ItemWriter();
  yield items.event("response.created", { response: begun });
  yield items.event("response.in_progress", { response: begun });
  const withScores = logprobsOf(body) !== undefined;
  for await (const step of answers) {
    if (step.kind === "delta") {
      const scores = withScores ? scoresOf(step.token, answers) : [];
      for (const said of step.reply ?? []) yield* items.write(said, scores);
      continue;
    }
    const { result } = step;
    const isCut = isIncomplete(result);
    yield* items.end(isCut ? "incomplete" : "completed");
    const response = endedResponse(head, items.done, { answers, result });
    yield items.event(isCut ? "response.incomplete" : "response.completed", { response });
  }
}

function scoresOf(token: AnswerToken | undefined, answers: AnswerFeed): readonly object[] {
  return token === undefined ? [] : tokenLogprobs([token], answers);
}

type Open =
  | { readonly kind: "message"; readonly id: string; text: string; readonly scores: object[] }
  | { readonly kind: "reasoning"; readonly id: string; text: string }
  | { readonly kind: "call"; readonly id: string; readonly call: ToolCall; text: string };

class ItemWriter {
  /** Items that are whole. */
  readonly done: object[] = [];
  #sequence = 0;
  #open: Open | undefined;

  event(type: string, fields: object): string {
    return namedEvent(type, { type, sequence_number: this.#sequence++, ...fields });
  }

  *write(said: ReplyEvent, scores: readonly object[]): Generator<string> {
    switch (said.kind) {
      case "content": {
        if (said.text === "") return;
        const open = yield* this.#message();
        open.text += said.text;
        open.scores.push(...scores);
        yield this.#delta("response.output_text", { delta: said.text, logprobs: scores });
        return;
      }
      case "reasoning": {
        const open = yield* this.#reasoning();
        open.text += said.text;
        yield this.#delta("response.reasoning_text", { delta: said.text });
        return;
      }
      case "call": {
        const { id, name } = said;
        yield* this.#close("completed");
        const call = { id, name, arguments: "" };
        yield* this.#begin({ kind: "call", id: responseId("fc"), call, text: "" });
        return;
      }
      case "arguments":
        if (this.#open?.kind !== "call") return;
        this.#open.text += said.text;
        yield this.event("response.function_call_arguments.delta", {
          ...this.#place,
          delta: said.text,
        });
        return;
      case "call-end":
        yield* this.#close("completed");
        return;
      case "notice":
        return;
      default:
        said satisfies never;
    }
  }

  /** An answer has one item at least. */
  *end(status: "completed" | "incomplete"): Generator<string> {
    if (this.done.length === 0 && this.#open === undefined) yield* this.#message();
    yield* this.#close(status);
  }

  get #place(): object {
    return { item_id: this.#open?.id ?? "", output_index: this.done.length };
  }

  #delta(name: string, fields: object): string {
    return this.event(`${name}.delta`, { ...this.#place, content_index: 0, ...fields });
  }

  *#message(): Generator<string, Extract<Open, { kind: "message" }>> {
    if (this.#open?.kind === "message") return this.#open;
    yield* this.#close("completed");
    const open = { kind: "message" as const, id: responseId("msg"), text: "", scores: [] };
    yield* this.#begin(open);
    yield this.#part("added", textPart(""));
    return open;
  }

  *#reasoning(): Generator<string, Extract<Open, { kind: "reasoning" }>> {
    if (this.#open?.kind === "reasoning") return this.#open;
    yield* this.#close("completed");
    const open = { kind: "reasoning" as const, id: responseId("rs"), text: "" };
    yield* this.#begin(open);
    yield this.#part("added", { type: "reasoning_text", text: "" });
    return open;
  }

  *#begin(open: Open): Generator<string> {
    this.#open = open;
    const item = itemOf({ ...open, text: "" }, "in_progress");
    yield this.event("response.output_item.added", { output_index: this.done.length, item });
  }

  #part(what: "added" | "done", part: object): string {
    return this.event(`response.content_part.${what}`, {
      ...this.#place,
      content_index: 0,
      part,
    });
  }

  *#close(status: "completed" | "incomplete"): Generator<string> {
    const open = this.#open;
    if (open === undefined) return;
    const { text } = open;
    if (open.kind === "call") {
      yield this.event("response.function_call_arguments.done", {
        ...this.#place,
        name: open.call.name,
        arguments: text,
      });
    } else if (open.kind === "message") {
      const { scores: logprobs } = open;
      const done = { ...this.#place, content_index: 0, text, logprobs };
      yield this.event("response.output_text.done", done);
      yield this.#part("done", textPart(text, logprobs));
    } else {
      yield this.event("response.reasoning_text.done", { ...this.#place, content_index: 0, text });
      yield this.#part("done", { type: "reasoning_text", text });
    }
    const item = itemOf(open, status);
    yield this.event("response.output_item.done", { output_index: this.done.length, item });
    this.done.push(item);
    this.#open = undefined;
  }
}

function itemOf(open: Open, status: "in_progress" | "completed" | "incomplete"): object {
  const { id, text } = open;
  if (open.kind === "call") return callItem(id, { ...open.call, arguments: text }, status);
  if (open.kind === "reasoning") return reasoningItem(id, text, status);
  const isBegun = status !== "in_progress";
  return messageItem(id, isBegun ? [textPart(text, open.scores)] : [], status);
}
