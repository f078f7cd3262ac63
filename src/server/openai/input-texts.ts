/** One text or several, or their token ids: the prompts of completions and the input of embeddings. */
import { z } from "zod";

export type TextsOrTokens =
  | string
  | readonly string[]
  | readonly number[]
  | readonly (readonly number[])[];

const tokens = z.array(z.int().min(0)).min(1);

export const textsOrTokens: z.ZodType<TextsOrTokens> = z.union(
  [z.string(), z.array(z.string()).min(1), tokens, z.array(tokens).min(1)],
  "expected a text, a list of texts, a list of token ids, or a list of such lists",
);

/** Each of them. */
export function textsOf(input: TextsOrTokens): readonly (string | readonly number[])[] {
  if (typeof input === "string" || isTokens(input)) return [input];
  return input;
}

function isTokens(input: readonly unknown[]): input is readonly number[] {
  return typeof input[0] === "number";
}
