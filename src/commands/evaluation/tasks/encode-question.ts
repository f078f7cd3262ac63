/** From the texts of a question to token ids, and to the rows that must be run to score them. */
import type { Tokenizer } from "../../../text/tokenizer.ts";
import type { Choice, Question } from "./question.ts";

/** Rows to run for one or more choices that differ in their last token at most. */
export interface Lane {
  /** Without the last token, which is only a target. */
  readonly inputs: readonly number[];
  /** The first row whose logits are wanted. */
  readonly firstOutput: number;
}

interface EncodedChoice {
  readonly tokens: readonly number[];
  readonly continuationStart: number;
}

export interface EncodedQuestion {
  readonly choices: readonly EncodedChoice[];
  readonly lanes: readonly Lane[];
  readonly laneOf: readonly number[];
  readonly truncated: boolean;
}

export function encodeQuestion(
  question: Question,
  tokenizer: Tokenizer,
  contextLength: number,
): EncodedQuestion {
  const whole = encodeChoices(question.choices, tokenizer);
  const choices = whole.map((choice) => cutToContext(choice, contextLength));
  const lanes: Lane[] = [];
  const seen = new Map<string, number>();
  const laneOf = choices.map(({ tokens, continuationStart }) => {
    const inputs = tokens.slice(0, -1);
    const key = `${continuationStart}:${inputs.join()}`;
    const found = seen.get(key);
    if (found !== undefined) return found;
    seen.set(key, lanes.length);
    return lanes.push({ inputs, firstOutput: continuationStart - 1 }) - 1;
  });
  const truncated = choices.some(({ tokens }, i) => tokens.length < (whole[i]?.tokens.length ?? 0));
  return { choices, lanes, laneOf, truncated };
}

/**
 * Context and continuation are encoded together and cut where the context alone ends; blanks at the end of the
 * context belong to the continuation. Source: lm-evaluation-harness at 4e7e0d4, api/model.py, _encode_pair.
 */
function encodeChoices(choices: readonly Choice[], tokenizer: Tokenizer): readonly EncodedChoice[] {
  const contexts = new Map<string, readonly number[]>();
  return choices.map(({ context, continuation }) => {
    const trimmed = context.trimEnd();
    const before = contexts.get(trimmed) ?? tokenizer.encode(trimmed, { addEos: "never" });
    contexts.set(trimmed, before);
    const all = tokenizer.encode(context + continuation, { addEos: "never" });
    const start = Math.min(before.length, all.length - 1);
    return { tokens: [...before.slice(0, start), ...all.slice(start)], continuationStart: start };
  });
}

/** Keeps the newest tokens. At least one token of context stays, for the first target needs a row before it. */
function cutToContext(choice: EncodedChoice, contextLength: number): EncodedChoice {
  const { tokens, continuationStart } = choice;
  const excess = Math.max(0, tokens.length - 1 - contextLength);
  return {
    tokens: tokens.slice(excess),
    continuationStart: Math.max(1, continuationStart - excess),
  };
}

/** Tokens that all lanes begin with and whose logits none of them wants. */
export function sharedLength(lanes: readonly Lane[]): number {
  const [first, ...others] = lanes;
  if (first === undefined) return 0;
  let shared = Math.min(...lanes.map(({ firstOutput }) => firstOutput));
  for (const { inputs } of others) {
    let same = 0;
    while (same < shared && inputs[same] === first.inputs[same]) same++;
    shared = same;
  }
  return shared;
}
