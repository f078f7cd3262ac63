/** From a corpus to windows of tokens: BOS (where the model wants one), then text of one document, cut at the window. */
import type { Tokens } from "../core/units.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { Corpus } from "./corpus.ts";

export interface TextWindow {
  /** BOS first, where the model wants one. */
  readonly tokens: readonly number[];
  /** Rows at the beginning that are no text: 0 or 1. */
  readonly bosRows: number;
  /** Tokens of the corpus before this window. */
  readonly position: Tokens;
}

export interface WindowRange {
  /** Tokens of a window, BOS included. */
  readonly window: Tokens;
  /** The first and the end of the tokens of the corpus that are wanted. */
  readonly from: Tokens;
  readonly until: Tokens;
}

/** In order; a document's last window may be short. A window of no text is left out. */
export async function* readWindows(
  corpus: Corpus,
  tokenizer: Tokenizer,
  range: WindowRange,
): AsyncGenerator<TextWindow, void, undefined> {
  const { bos, addsBos } = tokenizer.special;
  const before = addsBos && bos !== undefined ? [bos] : [];
  const textTokens = range.window - before.length;
  let position = 0;
  let waiting: number[] = [];
  const take = (count: number): TextWindow => {
    const tokens = [...before, ...waiting.slice(0, count)];
    waiting = waiting.slice(count);
    position += count;
    return { tokens, bosRows: before.length, position: position - count };
  };
  for await (const { text, startsDocument } of corpus.pieces()) {
    if (startsDocument && waiting.length > 0) yield take(waiting.length);
    const wanted = range.until - position - waiting.length;
    if (wanted <= 0) break;
    const encoded = tokenizer.encode(text, { addBos: "never", addEos: "never" }).slice(0, wanted);
    const passedOver = Math.min(encoded.length, Math.max(0, range.from - position));
    position += passedOver;
    waiting.push(...encoded.slice(passedOver));
    while (waiting.length >= textTokens) yield take(textTokens);
  }
  if (waiting.length > 0) yield take(waiting.length);
}
