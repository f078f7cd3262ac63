/** Several clients of one server at the same time, each of which asks once: what each of them sees. */

import { createRandom } from "../../../core/random.ts";
import type { Tokens } from "../../../core/units.ts";
import {
  RefusedAnswer,
  type ServerQuestion,
  type StreamedAnswer,
  streamedAnswer,
} from "./streamed-answer.ts";

export interface Load extends Omit<ServerQuestion, "prompt"> {
  readonly clients: number;
  readonly promptTokens: Tokens;
  /** Prompts of one seed are the same, those of two have no beginning in common. */
  readonly seed: number;
}

export interface LoadResult {
  readonly answers: readonly StreamedAnswer[];
  /** One sentence for each client that got no answer. */
  readonly refusals: readonly string[];
  /** Tokens of all answers together, by the time from the first request to the last piece. */
  readonly tokensPerSecond: number;
}

/** @throws the signal's reason, and what fetch throws where nothing answers */
export async function runLoad(load: Load): Promise<LoadResult> {
  const { clients, promptTokens, seed, ...question } = load;
  const begun = performance.now();
  const settled = await Promise.allSettled(
    Array.from({ length: clients }, (_, client) =>
      streamedAnswer({ ...question, prompt: madePrompt(promptTokens, 1000 * seed + client) }),
    ),
  );
  const seconds = (performance.now() - begun) / 1000;
  const answers: StreamedAnswer[] = [];
  const refusals: string[] = [];
  for (const one of settled) {
    if (one.status === "fulfilled") answers.push(one.value);
    else if (one.reason instanceof RefusedAnswer) refusals.push(one.reason.message);
    else throw one.reason;
  }
  const tokens = answers.reduce((sum, { answerTokens }) => sum + answerTokens, 0);
  return { answers, refusals, tokensPerSecond: tokens / seconds };
}

/** Of most vocabularies one token each, with the space before it. */
const words =
  "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years much where your way down should because long each just state those people too mr how little good world make very year still see own work men day get here old life both between being under three never know same last another while us might great go come since against right came take used himself few house use place during high without again home around small however found".split(
    " ",
  );

/** About so many tokens: the template's own come on top. */
function madePrompt(tokens: Tokens, seed: number): string {
  const random = createRandom(seed + 1);
  return Array.from({ length: tokens }, () => words[random.integer(words.length)]).join(" ");
}
