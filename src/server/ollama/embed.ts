/** `/api/embed`, and `/api/embeddings` of before. */
import type { Engine } from "../../index.ts";
import { requireDimensions } from "../answers/embedded-texts.ts";
import { bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { whenGone } from "../gone.ts";
import { okAnswer } from "../openapi.ts";
import { embedAnswer, oldEmbedAnswer } from "./answer-schemas.ts";
import { nanoseconds } from "./durations.ts";
import {
  besideOptions,
  type EmbedBody,
  embedFields,
  isOption,
  oldEmbedFields,
  withOptions,
} from "./fields.ts";
import { requireContext } from "./run.ts";

export function addEmbedRoutes(app: App, context: ServerContext): void {
  const { models } = context;
  const judge = createBodyCheck(embedFields, context);
  const judgeOld = createBodyCheck(oldEmbedFields, context);
  const tags = ["ollama"];
  app.post(
    "/api/embed",
    {
      schema: {
        summary: "Embeddings of texts",
        tags,
        body: bodySchema(embedFields, isOption),
        response: okAnswer({ json: embedAnswer }),
      },
    },
    async (asked, reply) => {
      const startedAt = performance.now();
      asked.body = withOptions(asked.body, besideOptions);
      const body = judge(asked, reply);
      const signal = whenGone(reply);
      using lease = await models.acquire(body.model, { signal, keepAlive: body.keep_alive });
      requireContext(body, lease.engine);
      requireDimensions(body.dimensions, lease.engine);
      const embeddings = await lease.engine.embed(textsOf(body, lease.engine), { signal });
      return {
        model: lease.name,
        embeddings: embeddings.map(({ vector }) => [...vector]),
        total_duration: nanoseconds(performance.now() - startedAt),
        load_duration: nanoseconds(lease.loadMilliseconds),
        prompt_eval_count: embeddings.reduce((sum, { tokens }) => sum + tokens, 0),
      };
    },
  );
  app.post(
    "/api/embeddings",
    {
      schema: {
        summary: "The embedding of a text, not scaled",
        tags,
        body: bodySchema(oldEmbedFields, isOption),
        response: okAnswer({ json: oldEmbedAnswer }),
      },
    },
    async (asked, reply) => {
      asked.body = withOptions(asked.body, besideOptions);
      const body = judgeOld(asked, reply);
      const signal = whenGone(reply);
      using lease = await models.acquire(body.model, { signal, keepAlive: body.keep_alive });
      requireContext(body, lease.engine);
      if (body.prompt === "") return { embedding: [] };
      const [one] = await lease.engine.embed([body.prompt], { signal, normalize: false });
      return { embedding: [...(one?.vector ?? [])] };
    },
  );
}

/** With `truncate`, texts are cut to what the context holds. */
function textsOf(
  { input, truncate }: EmbedBody,
  engine: Engine,
): readonly (string | readonly number[])[] {
  const texts = typeof input === "string" ? [input] : input;
  if (!truncate) return texts;
  return texts.map((text) => engine.tokenize(text).slice(0, engine.contextLength));
}
