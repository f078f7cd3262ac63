/** `/v1/embeddings`: vectors of texts, by the pooling that the model's file names, or the mean of its tokens. */
import { z } from "zod";
import type { Embedding } from "../../index.ts";
import { embeddedTexts, requireDimensions } from "../answers/embedded-texts.ts";
import { type PromptField, promptField, promptsIn } from "../answers/prompt-field.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { requireAtMost } from "../errors.ts";
import { whenGone } from "../gone.ts";
import { okAnswer } from "../openapi.ts";
import { embeddingAnswer } from "./answer-schemas.ts";

interface EmbeddingBody {
  readonly model?: string | undefined;
  readonly input: PromptField;
  readonly dimensions?: number | undefined;
  readonly encoding_format?: "float" | "base64" | undefined;
}

const fields: BodyFields<EmbeddingBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      input: promptField,
      dimensions: z.int().min(1).optional().describe("The length that the model's vectors have"),
      encoding_format: z
        .enum(["float", "base64"])
        .optional()
        .describe("base64: of little-endian 32-bit floats"),
    })
    .meta({ id: "EmbeddingRequest" }),
  idle: ["user"],
  absent: {},
};

/** OpenAI's limit. */
const maxTexts = 2048;

export function addEmbeddingRoute(app: App, context: ServerContext): void {
  const judge = createBodyCheck(fields, context);
  app.route({
    method: "POST",
    url: "/v1/embeddings",
    schema: {
      summary: "Vectors of texts",
      tags: ["openai"],
      body: bodySchema(fields),
      response: okAnswer({ json: embeddingAnswer }),
    },
    handler: async (asked, reply) => {
      const { model, input, encoding_format: format = "float", dimensions } = judge(asked, reply);
      requireAtMost("input", promptsIn(input).length, maxTexts);
      const signal = whenGone(reply);
      using lease = await context.models.acquire(model, { signal });
      requireDimensions(dimensions, lease.engine);
      const texts = await embeddedTexts(input, lease.engine);
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
