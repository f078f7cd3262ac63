/** Text to check a prepared model with: windows of the corpus that training did not see, as ids. */
import type { Tokens } from "../core/units.ts";
import type { Corpus } from "../sparsity/corpus.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import { partOf } from "./gather.ts";
import { readWindows } from "./gather-windows.ts";
import type { CheckText } from "./prepare-check.ts";

export interface CheckRequest {
  readonly corpora: readonly Corpus[];
  readonly tokens: Tokens;
  readonly window: Tokens;
  readonly heldOut: number;
  readonly seed: number;
  /** The most tokens to return. */
  readonly most: Tokens;
}

/** Whole held-out windows, one after another, of all corpora in turn. */
export async function heldOutWindows(
  tokenizer: Tokenizer,
  request: CheckRequest,
): Promise<CheckText> {
  const { corpora, tokens, window, heldOut, seed, most } = request;
  const ids: number[] = [];
  const perCorpus = Math.ceil(most / corpora.length);
  for (const [index, corpus] of corpora.entries()) {
    const range = { window, from: 0, until: tokens };
    for await (const one of readWindows(corpus, tokenizer, range)) {
      if (ids.length + window > perCorpus * (index + 1)) break;
      if (one.tokens.length < window) continue;
      if (partOf(one, { corpus, heldOut, seed }) === "held-out") ids.push(...one.tokens);
    }
  }
  return { ids, window };
}
