/** Answers of Ollama's form: lines of JSON, the last one with counts and durations. */
import type { Milliseconds } from "../../core/units.ts";
import type { FinishReason, GenerationResult, ReplyEvent, ToolCall } from "../../index.ts";
import type { AnswerFeed } from "../answers/answers.ts";
import type { AnswerResult, AnswerToken } from "../answers/request.ts";
import { tokenLogprobs } from "../openai/answer-parts.ts";
import type { StreamForm } from "../stream.ts";
import { nanoseconds } from "./durations.ts";
import { errorBody } from "./errors.ts";

/** What an answer says, or a piece of it. */
interface AnswerParts {
  readonly content: string;
  readonly thinking?: string;
  readonly calls?: readonly object[];
}

/** Where it stands: beside the rest, or in a message. */
export type AnswerPlace = (parts: AnswerParts) => object;

export const responsePlace: AnswerPlace = ({ content, thinking = "" }) => ({
  response: content,
  ...(thinking !== "" && { thinking }),
});

export const messagePlace: AnswerPlace = ({ content, thinking = "", calls = [] }) => ({
  message: {
    role: "assistant",
    content,
    ...(thinking !== "" && { thinking }),
    ...(calls.length > 0 && { tool_calls: calls }),
  },
});

/** Of a request, whatever becomes of it. */
export interface Asked {
  readonly startedAt: Milliseconds;
  readonly loadMilliseconds: Milliseconds;
  readonly place: AnswerPlace;
}

/** Nothing stands between the lines: clients read each as JSON. */
export const lines: StreamForm = {
  contentType: "application/x-ndjson",
  ping: undefined,
  errorPart: (failure) => line(errorBody(failure)),
};

export async function wholeAnswer(answers: AnswerFeed, asked: Asked): Promise<object> {
  const [answer] = await answers.whole();
  if (answer === undefined) throw new RangeError("a request has one prompt");
  const { result, tokens } = answer;
  return {
    ...head(answers.model.name),
    ...asked.place(partsOf(result)),
    ...scoresOf(tokens, answers),
    ...ending(result, asked),
  };
}

export async function* answerLines(answers: AnswerFeed, asked: Asked): AsyncGenerator<string> {
  const { place } = asked;
  const { name } = answers.model;
  const calls = new CallCollector();
  for await (const event of answers) {
    if (event.kind === "end") {
      yield line({ ...head(name), ...place({ content: "" }), ...ending(event.result, asked) });
      continue;
    }
    const { reply = [{ kind: "content", text: event.text } as const] } = event;
    let scores = scoresOf(event.token === undefined ? [] : [event.token], answers);
    for (const said of reply) {
      const parts = calls.partsOf(said);
      if (parts === undefined) continue;
      yield line({ ...head(name), ...place(parts), ...scores, done: false });
      scores = {};
    }
    if ("logprobs" in scores) {
      yield line({ ...head(name), ...place({ content: "" }), ...scores, done: false });
    }
  }
}

/** Of tokens whose log-probabilities were asked for. */
function scoresOf(
  tokens: readonly AnswerToken[],
  { model }: Pick<AnswerFeed, "model">,
): { readonly logprobs?: readonly object[] } {
  const scored = tokens.filter(({ logprob }) => logprob !== undefined);
  return scored.length === 0 ? {} : { logprobs: tokenLogprobs(scored, { model }) };
}

/** When a model was only to be loaded, or to be sent away. */
export function loadedAnswer(model: string, reason: "load" | "unload", place: AnswerPlace): object {
  return { ...head(model), ...place({ content: "" }), done: true, done_reason: reason };
}

export function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

function partsOf({ text, reply }: AnswerResult): AnswerParts {
  if (reply === undefined) return { content: text };
  const { content, reasoning: thinking, toolCalls } = reply;
  return { content, thinking, calls: toolCalls.map(callOf) };
}

/** Arguments are an object here, not its text: a call is given out when it is whole. */
class CallCollector {
  readonly #calls: { readonly name: string; arguments: string }[] = [];

  /** Undefined where nothing is to be said yet. */
  partsOf(event: ReplyEvent): AnswerParts | undefined {
    switch (event.kind) {
      case "content":
        return event.text === "" ? undefined : { content: event.text };
      case "reasoning":
        return { content: "", thinking: event.text };
      case "call":
        this.#calls[event.index] = { name: event.name, arguments: "" };
        return undefined;
      case "arguments": {
        const call = this.#calls[event.index];
        if (call !== undefined) call.arguments += event.text;
        return undefined;
      }
      case "call-end": {
        const call = this.#calls[event.index];
        return call && { content: "", calls: [callOf(call)] };
      }
      case "notice":
        return undefined;
      default:
        return event satisfies never;
    }
  }
}

function callOf({ name, arguments: given }: Pick<ToolCall, "name" | "arguments">): object {
  return { function: { name, arguments: JSON.parse(given) } };
}

function head(model: string): object {
  return { model, created_at: new Date().toISOString() };
}

const reasons: Readonly<Record<FinishReason, "stop" | "length">> = {
  stop: "stop",
  length: "length",
  context: "length",
  abort: "stop",
};

function ending(result: GenerationResult, { startedAt, loadMilliseconds }: Asked): object {
  const { promptTokens, completionTokens, timings } = result;
  return {
    done: true,
    done_reason: reasons[result.finishReason],
    total_duration: nanoseconds(performance.now() - startedAt),
    load_duration: nanoseconds(loadMilliseconds),
    prompt_eval_count: promptTokens,
    prompt_eval_duration: nanoseconds(timings.promptMilliseconds),
    eval_count: completionTokens,
    eval_duration: nanoseconds(timings.decodeMilliseconds),
  };
}
