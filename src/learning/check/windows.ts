/** Text to check a compiled model with: windows of the corpus that training did not see, as ids. */
import type { Tokens } from "../../core/units.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import type { Corpus } from "../corpus.ts";
import { partOf } from "../gather.ts";
import { readWindows } from "../gather-windows.ts";
import { type CheckText, minWindow } from "./checked-model.ts";

export interface HeldOutRequest {
  readonly corpora: readonly Corpus[];
  readonly tokens: Tokens;
  readonly window: Tokens;
  readonly heldOut: number;
  readonly seed: number;
  /** The most tokens to return. */
  readonly most: Tokens;
}

export interface HeldOutText extends CheckText {
  /** Names of the corpora that the windows are from: what is measured holds for their kind of text. */
  readonly sources: readonly string[];
}

/** Held-out windows of all corpora in turn, whole or as short as their document. */
export async function heldOutWindows(
  tokenizer: Tokenizer,
  request: HeldOutRequest,
): Promise<HeldOutText> {
  const { corpora, tokens, window, heldOut, seed, most } = request;
  const windows: (readonly number[])[] = [];
  const sources = new Set<string>();
  let left = 0;
  for (const corpus of corpora) {
    left += most / corpora.length;
    for await (const one of readWindows(corpus, tokenizer, { window, from: 0, until: tokens })) {
      if (left <= 0) break;
      const isHeldOut = partOf(one, { corpus, heldOut, seed }) === "held-out";
      if (!isHeldOut || one.tokens.length < minWindow) continue;
      windows.push(one.tokens);
      sources.add(corpus.name);
      left -= one.tokens.length;
    }
  }
  return { windows, sources: [...sources] };
}
