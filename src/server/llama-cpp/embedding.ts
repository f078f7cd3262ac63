/** `/embedding`: vectors of one text or several. */
import { z } from "zod";
import { type BodyFields, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { whenGone } from "../gone.ts";

type OneText = string | readonly number[];

interface EmbeddingBody {
  readonly model?: string | undefined;
  readonly content: OneText | readonly OneText[];
  readonly embd_normalize?: -1 | 2 | undefined;
}

const oneText = z.union([z.string(), z.array(z.int().min(0)).min(1)]);

const fields: BodyFields<EmbeddingBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      content: z.union([oneText, z.array(oneText).min(1)]),
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
    const schema = { summary: "Embeddings of texts", tags: ["llama.cpp"], body: fields.schema };
    app.post(url, { schema }, async (asked, reply) => {
      const { model, content, embd_normalize = 2 } = judge(asked, reply);
      const signal = whenGone(reply);
      using lease = await context.models.acquire(model, { signal });
      const normalize = embd_normalize === 2;
      const embeddings = await lease.engine.embed(textsOf(content), { signal, normalize });
      return embeddings.map(({ vector }, index) => ({ index, embedding: [[...vector]] }));
    });
  }
}

function textsOf(content: EmbeddingBody["content"]): readonly OneText[] {
  if (typeof content === "string") return [content];
  return isTokens(content) ? [content] : content;
}

function isTokens(content: readonly unknown[]): content is readonly number[] {
  return typeof content[0] === "number";
}
