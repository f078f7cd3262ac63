/** What hearth makes of a real model: the perplexity of a text, and greedy answers in its chat format. */
import { perplexity } from "../../src/commands/perplexity.ts";
import { Engine } from "../../src/engine/engine.ts";
import type { EngineOptions } from "../../src/engine/options.ts";

/** Tokens of a window. */
export const windowTokens = 256;
export const answerTokens = 32;

export interface GreedyAnswer {
  readonly text: string;
  /** Characters before the first token that was hardly likelier than another; Infinity: there is none. */
  readonly firstTie: number;
}

/** Dense, with f32 keys and values, as the oracle computes. */
const plain = { sparsity: "dense", cacheType: "f32" } as const;

export async function perplexityOf(
  model: string,
  text: string,
  options: EngineOptions & { readonly windows: number },
): Promise<number> {
  const { windows, ...engine } = options;
  const size = { contextLength: windowTokens, window: windowTokens };
  const maxTokens = windowTokens * windows;
  return (await perplexity(model, text, { ...plain, ...engine, ...size, maxTokens })).perplexity;
}

/** The answers to all questions at once. `tie`: log probabilities that are nearer than this may change places. */
export async function answersOf(
  model: string,
  questions: readonly string[],
  { tie, ...options }: EngineOptions & { readonly tie: number },
): Promise<readonly GreedyAnswer[]> {
  const sequences = questions.length;
  const engine = await Engine.open(model, { ...plain, ...options, contextLength: 512, sequences });
  try {
    return await Promise.all(questions.map((question) => answer(engine, question, tie)));
  } finally {
    engine.close();
  }
}

async function answer(engine: Engine, question: string, tie: number): Promise<GreedyAnswer> {
  const options = { maxTokens: answerTokens, temperature: 0, logprobs: 2 };
  let text = "";
  let firstTie = Number.POSITIVE_INFINITY;
  for await (const chunk of engine.chat([{ role: "user", content: question }], options)) {
    const [first, second] = chunk.topLogprobs ?? [];
    if (first && second && first.logprob - second.logprob < tie) {
      firstTie = Math.min(firstTie, text.length);
    }
    text += chunk.text;
  }
  return { text, firstTie };
}

/** Whether the answer is the expected one, up to its first tie. */
export function isSame({ text, firstTie }: GreedyAnswer, expected: string): boolean {
  const end = Math.min(firstTie, Math.max(text.length, expected.length));
  return text.slice(0, end) === expected.slice(0, end);
}
