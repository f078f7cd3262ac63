/** The token ids of what a caller gives as text, bytes or ids. */
import { OptionError } from "../core/errors.ts";
import { encodePrompt, type PromptIds } from "../text/chat-template.ts";
import type { EncodeOptions, Tokenizer } from "../text/tokenizer.ts";
import { checkIds } from "./option-rules.ts";

/** A text, its bytes, or token ids, which are taken as they are. */
export type Prompt = string | Uint8Array | readonly number[];

/** `option`: how errors name it. @throws OptionError for ids that are not there, and for no tokens at all. */
export function promptIds(
  prompt: Prompt,
  option: string,
  model: { readonly tokenizer: Tokenizer; readonly vocabulary: number },
  encoding: EncodeOptions = {},
): PromptIds {
  const isText = typeof prompt === "string" || prompt instanceof Uint8Array;
  const ids = isText
    ? encodePrompt(model.tokenizer, prompt, encoding)
    : checkIds(prompt, option, model.vocabulary);
  if (ids instanceof Promise || ids.length > 0) return ids;
  const expected = isText ? "some text: this model has no token to begin with" : "some token ids";
  throw new OptionError(option, "no tokens", expected);
}

/** The ids of a prompt, when what its answer needs besides is there too. */
export function whenReady(ids: PromptIds, loading: Promise<void> | undefined): PromptIds {
  return loading === undefined ? ids : loading.then(() => ids);
}
