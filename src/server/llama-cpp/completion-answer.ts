/** Answers of `/completion` and `/infill`, whole and in a stream. No `[DONE]` ends a stream: the event that has `stop` does. */
import type { FinishReason, GenerationResult } from "../../index.ts";
import type { Answers } from "../answers/answers.ts";
import type { AnswerToken } from "../answers/request.ts";
import { samplingFields } from "../answers/sampling-fields.ts";
import { timingsOf, tokenLogprobs, toldWith } from "../openai/answer-parts.ts";
import { dataEvent } from "../sse.ts";
import type { AnswerBody } from "./completion-body.ts";
import { onlyFields } from "./response-fields.ts";

/** `isListed`: whether several prompts were asked for, whose answers come as a list. */
export async function wholeCompletion(
  answers: Answers,
  body: AnswerBody,
  isListed: boolean,
): Promise<object> {
  const texts: object[] = [];
  for (const { choice, result, tokens } of await answers.whole()) {
    const answer = {
      ...(await ending(answers, body, { choice, result })),
      content: result.text,
      ...(body.return_tokens && { tokens: tokens.map(({ id }) => id) }),
      ...probabilities(tokens, body, answers),
    };
    texts.push(onlyFields(answer, body.response_fields));
  }
  return isListed ? texts : (texts[0] ?? {});
}

export async function* completionEvents(
  answers: Answers,
  body: AnswerBody,
): AsyncGenerator<string> {
  const written: number[] = [];
  for await (const event of answers) {
    const { choice } = event;
    if (event.kind === "end") {
      yield dataEvent(onlyFields(await ending(answers, body, event), body.response_fields));
      continue;
    }
    const tokens = event.token === undefined ? [] : [event.token];
    written[choice] = (written[choice] ?? 0) + tokens.length;
    yield dataEvent({
      index: choice,
      content: event.text,
      tokens: tokens.map(({ id }) => id),
      stop: false,
      id_slot: -1,
      tokens_predicted: written[choice],
      tokens_evaluated: answers.soFar(choice).promptTokens,
      ...toldWith(event, answers, body),
      ...probabilities(tokens, body, answers),
    });
  }
}

interface Ended {
  readonly choice: number;
  readonly result: GenerationResult;
}

async function ending(
  answers: Answers,
  body: AnswerBody,
  { choice, result }: Ended,
): Promise<object> {
  const { promptTokens, completionTokens, finishReason, stopText } = result;
  return {
    index: choice,
    content: "",
    tokens: [],
    id_slot: -1,
    stop: true,
    model: answers.model.name,
    tokens_predicted: completionTokens,
    tokens_evaluated: promptTokens,
    generation_settings: settingsOf(body, result),
    prompt: await answers.promptText(choice),
    has_new_line: result.text.includes("\n"),
    truncated: false,
    stop_type: stopText === undefined ? stopTypes[finishReason] : "word",
    stopping_word: stopText ?? "",
    // The last token of an answer is not read.
    tokens_cached: promptTokens + Math.max(0, completionTokens - 1),
    timings: timingsOf(result),
  };
}

const stopTypes: Readonly<Record<FinishReason, string>> = {
  stop: "eos",
  length: "limit",
  context: "limit",
  abort: "none",
};

/** What the request said, and the seed that was used. Fields that are not there had hearth's defaults. */
function settingsOf(body: AnswerBody, { seed }: GenerationResult): object {
  const given = Object.entries(body).filter(([name]) => Object.hasOwn(samplingFields, name));
  const { n_predict = -1, stream = false, n_probs = 0 } = body;
  return { ...Object.fromEntries(given), seed, n_predict, stream, n_probs };
}

function probabilities(tokens: readonly AnswerToken[], body: AnswerBody, answers: Answers): object {
  if ((body.n_probs ?? 0) === 0) return {};
  return { completion_probabilities: tokenLogprobs(tokens, answers, body) };
}
