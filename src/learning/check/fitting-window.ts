/** How long windows may be so that a short text has some to learn from and some to check with. */
import type { Tokens } from "../../core/units.ts";
import type { Tokenizer } from "../../text/tokenizer.ts";
import { partOf } from "../gather.ts";
import { readWindows } from "../gather-windows.ts";
import { minTrainRows } from "../train-gather.ts";
import { minWindow } from "./checked-model.ts";
import type { HeldOutRequest } from "./windows.ts";

type WindowRequest = Omit<HeldOutRequest, "most">;

/** `window`, or the longest half of it, halved again and again, that serves; `window` where none does. */
export async function fittingWindow(tokenizer: Tokenizer, request: WindowRequest): Promise<Tokens> {
  for (let window = request.window; window >= minWindow; window = Math.floor(window / 2)) {
    if (await serves(tokenizer, { ...request, window })) return window;
  }
  return request.window;
}

/** Reads no more of the text than it must: of a long one, a dozen windows. */
async function serves(tokenizer: Tokenizer, request: WindowRequest): Promise<boolean> {
  const { corpora, tokens, window, heldOut, seed } = request;
  let trainRows = 0;
  let isChecked = false;
  for (const corpus of corpora) {
    for await (const one of readWindows(corpus, tokenizer, { window, from: 0, until: tokens })) {
      const isTrain = partOf(one, { corpus, heldOut, seed }) === "train";
      if (isTrain) trainRows += one.tokens.length - one.bosRows;
      else isChecked ||= one.tokens.length >= minWindow;
      if (isChecked && trainRows >= minTrainRows) return true;
    }
  }
  return false;
}
