/** Answers of Ollama's form: lines of JSON, the last one with counts and durations. */
import type { Milliseconds } from "../../core/units.ts";
import type { FinishReason, GenerationResult } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import type { StreamForm } from "../stream.ts";
import { nanoseconds } from "./durations.ts";
import { errorBody } from "./errors.ts";

/** Where the text of an answer stands: "response", or in a message. */
export type TextPlace = (text: string) => object;

export const responsePlace: TextPlace = (text) => ({ response: text });
export const messagePlace: TextPlace = (text) => ({
  message: { role: "assistant", content: text },
});

/** Of a request, whatever becomes of it. */
export interface Asked {
  readonly startedAt: Milliseconds;
  readonly loadMilliseconds: Milliseconds;
  readonly place: TextPlace;
}

/** Nothing stands between the lines: clients read each as JSON. */
export const lines: StreamForm = {
  contentType: "application/x-ndjson",
  ping: undefined,
  errorPart: (failure) => line(errorBody(failure)),
};

export async function wholeAnswer(answers: Answers, asked: Asked): Promise<object> {
  const [answer] = await answers.whole();
  if (answer === undefined) throw new RangeError("a request has one prompt");
  const { result } = answer;
  return { ...head(answers.model.name), ...asked.place(result.text), ...ending(result, asked) };
}

export async function* answerLines(answers: Answers, asked: Asked): AsyncGenerator<string> {
  const { place } = asked;
  const { name } = answers.model;
  for await (const event of answers) {
    if (event.kind === "end") {
      yield line({ ...head(name), ...place(""), ...ending(event.result, asked) });
    } else if (event.text !== "") {
      yield line({ ...head(name), ...place(event.text), done: false });
    }
  }
}

/** When a model was only to be loaded, or to be sent away. */
export function loadedAnswer(model: string, reason: "load" | "unload", place: TextPlace): object {
  return { ...head(model), ...place(""), done: true, done_reason: reason };
}

export function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
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
