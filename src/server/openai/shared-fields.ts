/** Fields that the bodies of chats and of completions have in common. */
import { z } from "zod";

export interface SharedBody {
  /** As the client named it. */
  readonly model?: string | undefined;
  readonly n?: number | undefined;
  readonly stream?: boolean | undefined;
  readonly stream_options?: StreamOptions | undefined;
  readonly max_tokens?: number | undefined;
}

interface StreamOptions {
  readonly include_usage?: boolean | undefined;
  readonly include_obfuscation?: boolean | undefined;
}

/** To be spread into the schema of a body. */
export const sharedFields: {
  readonly [Name in keyof Required<SharedBody>]: z.ZodType<SharedBody[Name]>;
} = {
  model: z.string().optional(),
  n: z.int().min(1).optional().describe("Answers to each prompt"),
  stream: z.boolean().optional(),
  stream_options: z
    .strictObject({
      include_usage: z.boolean().optional(),
      include_obfuscation: z.boolean().optional().describe("Without effect"),
    })
    .optional(),
  max_tokens: z.int().min(-1).optional().describe("-1: until it ends or the context is full"),
};
