/** What hearth makes of a made model: the perplexity of the text, and greedy answers beside those of another program. */
import { perplexity } from "../../src/commands/perplexity.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";
import { special } from "../make-model/vocabulary.ts";
import { provedPrompts, provedText } from "./text.ts";

export type Device = "cpu" | "gpu";

/** Tokens of a window, and of prompt and answer together. */
export const contextLength = 256;
/** Windows that are read. */
export const chunks = 4;
export const answerTokens = 24;
/** Tokens that end an answer, or that programs print each in their own way. */
export const banned: readonly number[] = Object.values(special);

export interface Measured {
  readonly perplexity: number;
  /** Of the perplexity, from the expected one. */
  readonly difference: number;
  /** Answers that are not the expected ones; undefined: none were expected. */
  readonly wrongAnswers?: readonly string[];
}

export interface Expected {
  readonly perplexity: number;
  /** Of each prompt; absent: answers are not compared. */
  readonly answers?: readonly string[];
  /** Two likeliest tokens whose log probabilities are nearer than this may change places between programs. */
  readonly tie: number;
}

export async function measure(
  model: string,
  device: Device,
  expected: Expected,
): Promise<Measured> {
  const gpu = device === "gpu" ? { gpu: 0 } : {};
  const options = { device, ...gpu, contextLength, cacheType: "f32", sparsity: "dense" } as const;
  const windows = { window: contextLength, maxTokens: contextLength * chunks };
  const found = await perplexity(model, provedText, { ...options, ...windows });
  const difference = found.perplexity / expected.perplexity - 1;
  const measured = { perplexity: found.perplexity, difference };
  const { answers, tie } = expected;
  if (answers === undefined) return measured;
  return { ...measured, wrongAnswers: await wrongAnswersOf(model, options, { answers, tie }) };
}

/** All prompts at once. */
async function wrongAnswersOf(
  model: string,
  options: EngineOptions,
  expected: Required<Pick<Expected, "answers" | "tie">>,
): Promise<readonly string[]> {
  const engine = await Engine.open(model, { ...options, sequences: provedPrompts.length });
  try {
    const found = await Promise.all(
      provedPrompts.map((prompt) => answer(engine, prompt, expected.tie)),
    );
    return found.flatMap(({ text, firstTie }, at) => {
      const other = expected.answers[at] ?? "";
      const same = commonLength(text, other);
      if (same === Math.max(text.length, other.length) || same >= firstTie) return [];
      return [`${JSON.stringify(text)}, expected ${JSON.stringify(other)}`];
    });
  } finally {
    engine.close();
  }
}

/**
 * The text without NULs, which native llama.cpp does not print, and its length before the first token that was hardly
 * likelier than another.
 */
async function answer(
  engine: Engine,
  prompt: string,
  tie: number,
): Promise<{ readonly text: string; readonly firstTie: number }> {
  const logitBias = Object.fromEntries(banned.map((id) => [id, -1e6]));
  const options = { maxTokens: answerTokens, temperature: 0, logitBias, logprobs: 2 };
  let text = "";
  let firstTie = Number.POSITIVE_INFINITY;
  for await (const chunk of engine.generate(prompt, options)) {
    const [first, second] = chunk.topLogprobs ?? [];
    const isTie = first && second && first.logprob - second.logprob < tie;
    if (isTie) firstTie = Math.min(firstTie, text.length);
    text += chunk.text.replaceAll("\0", "");
  }
  return { text, firstTie };
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
