/** One prompt or several, in all forms that llama-server and OpenAI take: texts, token ids, both in one, parts of text. */
import { z } from "zod";
import type { Engine } from "../../index.ts";
import type { AnswerPrompt } from "./request.ts";

/** Token ids, with texts between them. */
export type MixedPrompt = readonly (number | string)[];

type PromptObject =
  | { readonly prompt_string: string }
  | { readonly content: readonly { readonly text: string }[] };

type OnePrompt = string | MixedPrompt | PromptObject;

export type PromptField = OnePrompt | readonly OnePrompt[];

const textPart = z.strictObject({ type: z.literal("text"), text: z.string() });
const promptObject = z.union([
  z.strictObject({
    prompt_string: z.string(),
    multimodal_data: z.array(z.string()).max(0).optional().describe("hearth reads text"),
  }),
  z.strictObject({ content: z.array(textPart).min(1) }),
]);
const piece = z.union([z.int().min(0), z.string()]);
const mixed = z.array(piece).min(1);

export const promptField: z.ZodType<PromptField> = z.union(
  [z.string(), mixed, promptObject, z.array(z.union([z.string(), mixed, promptObject])).min(1)],
  "expected a text, a list of texts, a list of token ids, or a list of such lists",
);

/** A list of texts alone is several prompts; one with a token id in it is one. */
export function isListed(field: PromptField): field is readonly OnePrompt[] {
  return Array.isArray(field) && !field.some((one) => typeof one === "number");
}

export function promptsIn(field: PromptField): readonly (string | MixedPrompt)[] {
  return (isListed(field) ? field : [field]).map(plain);
}

/** `parseSpecial`: whether control tokens that are written out in texts are those tokens. */
export function answerPrompts(field: PromptField, parseSpecial: boolean): readonly AnswerPrompt[] {
  return promptsIn(field).map((one): AnswerPrompt => {
    if (typeof one === "string") return { kind: "text", text: one, parseSpecial };
    return isTokens(one)
      ? { kind: "tokens", tokens: one }
      : { kind: "mixed", pieces: one, parseSpecial };
  });
}

/** Texts between token ids are encoded as they stand, the first one with the model's beginning. */
export async function encodeMixed(
  prompt: MixedPrompt,
  { tokenizer }: Pick<Engine, "tokenizer">,
  parseSpecial: boolean,
): Promise<readonly number[]> {
  const ids: (readonly number[])[] = [];
  for (const [i, one] of prompt.entries()) {
    const addBos = i === 0 ? "model" : "never";
    const form = { parseSpecial, addBos, addEos: "never" } as const;
    ids.push(typeof one === "number" ? [one] : await tokenizer.encodeWithPauses(one, form));
  }
  return ids.flat();
}

export function isTokens(prompt: MixedPrompt): prompt is readonly number[] {
  return prompt.every((one) => typeof one === "number");
}

function plain(prompt: OnePrompt): string | MixedPrompt {
  if (typeof prompt === "string" || isList(prompt)) return prompt;
  if ("prompt_string" in prompt) return prompt.prompt_string;
  return prompt.content.map(({ text }) => text).join("");
}

function isList(prompt: MixedPrompt | PromptObject): prompt is MixedPrompt {
  return Array.isArray(prompt);
}
