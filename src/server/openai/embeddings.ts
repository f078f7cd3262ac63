/** `/v1/embeddings`: vectors of texts, by the pooling that the model's file names, or the mean of its tokens. */
import { z } from "zod";
import type { Embedding } from "../../index.ts";
import { type BodyFields, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { whenGone } from "../gone.ts";
import { type TextsOrTokens, textsOf, textsOrTokens } from "./input-texts.ts";
import { requireAtMost } from "./shared-fields.ts";

interface EmbeddingBody {
  readonly model?: string | undefined;
  readonly input: TextsOrTokens;
  readonly encoding_format?: "float" | "base64" | undefined;
}

const fields: BodyFields<EmbeddingBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      input: textsOrTokens,
      encoding_format: z
        .enum(["float", "base64"])
        .optional()
        .describe("base64: of little-endian 32-bit floats"),
    })
    .meta({ id: "EmbeddingRequest" }),
  idle: ["user"],
  absent: { dimensions: { reason: "a model's embeddings have the length that it gives them" } },
};

/** OpenAI's limit. */
const maxTexts = 2048;

export function addEmbeddingRoute(app: App, context: ServerContext): void {
  const judge = createBodyCheck(fields, context);
  app.route({
    method: "POST",
    url: "/v1/embeddings",
    schema: { summary: "Vectors of texts", tags: ["openai"], body: fields.schema },
    handler: async (asked, reply) => {
      const { model, input, encoding_format: format = "float" } = judge(asked, reply);
      const texts = textsOf(input);
      requireAtMost("input", texts.length, maxTexts);
      const signal = whenGone(reply);
      using lease = await context.models.acquire(model, { signal });
      const embeddings = await lease.engine.embed(texts, { signal });
      const tokens = embeddings.reduce((sum, one) => sum + one.tokens, 0);
      context.metrics.countEmbeddings(lease.name, tokens);
      return {
        object: "list",
        data: embeddings.map(({ vector }, index) => {
          return { object: "embedding", index, embedding: encoded(vector, format) };
        }),
        model: lease.name,
        usage: { prompt_tokens: tokens, total_tokens: tokens },
      };
    },
  });
}

function encoded(
  vector: Embedding["vector"],
  format: "float" | "base64",
): readonly number[] | string {
  if (format === "float") return [...vector];
  const bytes = Buffer.alloc(vector.byteLength);
  for (const [i, value] of vector.entries()) bytes.writeFloatLE(value, 4 * i);
  return bytes.toString("base64");
}
