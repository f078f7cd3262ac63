/** llama-server's fields about how a prompt is read and what is told of an answer besides, which OpenAI's routes take, too. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type { AnswerOptions } from "./request.ts";

export interface ReadingBody {
  readonly cache_prompt?: boolean | undefined;
}

/** To be spread into the schema of a body. */
export const readingFields: {
  readonly [Name in keyof Required<ReadingBody>]: z.ZodType<ReadingBody[Name]>;
} = {
  cache_prompt: z
    .boolean()
    .optional()
    .describe("false reads the whole prompt, whatever the cache holds of it"),
};

export function readingOptions({ cache_prompt }: ReadingBody): Pick<AnswerOptions, "cachePrompt"> {
  return defined({ cachePrompt: cache_prompt });
}
