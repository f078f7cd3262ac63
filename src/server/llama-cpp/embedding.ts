/** `/embedding`: vectors of one text or several. */
import { z } from "zod";
import { embeddedTexts } from "../answers/embedded-texts.ts";
import { type PromptField, promptField } from "../answers/prompt-field.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { whenGone } from "../gone.ts";
import { okAnswer } from "../openapi.ts";
import { embeddingAnswer } from "./answer-schemas.ts";

interface EmbeddingBody {
  readonly model?: string | undefined;
  readonly content: PromptField;
  readonly embd_normalize?: -1 | 2 | undefined;
}

const fields: BodyFields<EmbeddingBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      content: promptField,
      embd_normalize: z
        .union([z.literal(-1), z.literal(2)])
        .optional()
        .describe("2, the default: of length 1; -1: as they are"),
    })
    .meta({ id: "LlamaEmbeddingRequest" }),
  idle: [],
  absent: {},
};

export function addEmbeddingRoutes(app: App, context: ServerContext): void {
  const judge = createBodyCheck(fields, context);
  for (const url of ["/embedding", "/embeddings"]) {
    const schema = {
      summary: "Embeddings of texts",
      tags: ["llama.cpp"],
      body: bodySchema(fields),
      response: okAnswer({ json: embeddingAnswer }),
    };
    app.post(url, { schema }, async (asked, reply) => {
      const { model, content, embd_normalize = 2 } = judge(asked, reply);
      const signal = whenGone(reply);
      using lease = await context.models.acquire(model, { signal });
      const texts = await embeddedTexts(content, lease.engine);
      const embeddings = await lease.engine.embed(texts, {
        signal,
        normalize: embd_normalize === 2,
      });
      return embeddings.map(({ vector }, index) => ({ index, embedding: [[...vector]] }));
    });
  }
}
