/** What a model can do beside continuing a text, by its tokens and its chat template: no weights are read. */
import { openGguf } from "../gguf/open.ts";
import { createChatTemplate } from "../text/chat-template.ts";
import { createTokenizer } from "../text/tokenizer.ts";

/** tools: its template tells it of them. thinking: its template knows of thoughts. fill-in: it has tokens for a text's middle. */
export type ModelAbility = "tools" | "thinking" | "fill-in";

/** @throws FileFormatError, FileAccessError, UnsupportedError as a model is opened */
export function modelAbilities(path: string): readonly ModelAbility[] {
  const { metadata, tensors } = openGguf(path);
  const tokenizer = createTokenizer(metadata, tensors.get("token_embd.weight")?.dimensions[1]);
  const { form, knowsTools } = createChatTemplate(metadata, tokenizer);
  const has: Readonly<Record<ModelAbility, boolean>> = {
    tools: knowsTools(),
    thinking: form.kind === "harmony" || form.reasoning.length > 0,
    "fill-in": tokenizer.special.fillIn !== undefined,
  };
  return (["tools", "thinking", "fill-in"] as const).filter((ability) => has[ability]);
}
