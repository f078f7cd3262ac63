/** Prompts as the engine takes them: what only the model's tokenizer can put together is token ids then. */
import type { Engine } from "../../index.ts";
import { fillInPrompt } from "./fill-in-prompt.ts";
import { encodeMixed } from "./prompt-field.ts";
import type { AnswerPrompt } from "./request.ts";

export type ReadyPrompt = Exclude<AnswerPrompt, { kind: "mixed" | "fill-in" }>;

/** @throws RequestError for a model that cannot fill in */
export async function encodedPrompt(prompt: AnswerPrompt, engine: Engine): Promise<ReadyPrompt> {
  if (prompt.kind === "mixed") {
    const { pieces, parseSpecial } = prompt;
    return { kind: "tokens", tokens: await encodeMixed(pieces, engine, parseSpecial) };
  }
  if (prompt.kind === "fill-in") {
    return { kind: "tokens", tokens: await fillInPrompt(prompt.around, engine) };
  }
  return prompt;
}

/** What the model reads, with control tokens by their names: `<s>` in front, where it begins so. Of a conversation nothing. */
export async function promptText(
  prompt: ReadyPrompt,
  { tokenizer }: Pick<Engine, "tokenizer">,
): Promise<string> {
  if (prompt.kind === "messages") return "";
  if (prompt.kind === "tokens") return tokenizer.decode(prompt.tokens, { showSpecial: true });
  const { text, parseSpecial = false } = prompt;
  const ids = await tokenizer.encodeWithPauses(text, { parseSpecial });
  return tokenizer.decode(ids, { showSpecial: true });
}
