/** `/props` and the list of `/slots`: how the server runs a model. With several models, `?model=` says which. */
import { z } from "zod";
import { ownVersion } from "../../core/version.ts";
import type { Engine } from "../../index.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { whenGone } from "../gone.ts";
import { okAnswer } from "../openapi.ts";
import { propsAnswer, slotsAnswer } from "./answer-schemas.ts";

const modelQuery = z.object({ model: z.string().optional() });
const slotsQuery = z.object({
  model: z.string().optional(),
  fail_on_no_slot: z.string().optional().describe("503 where all are answering"),
});

export function addPropsRoutes(app: App, context: ServerContext): void {
  const { models, slotFolder } = context;
  const tags = ["llama.cpp"];
  app.get(
    "/props",
    {
      schema: {
        summary: "How the server runs a model",
        tags,
        querystring: modelQuery,
        response: okAnswer({ json: propsAnswer }),
      },
    },
    async ({ query }, reply) => {
      using lease = await models.acquire(modelIn(query), { signal: whenGone(reply) });
      const { path } = await models.find(lease.name);
      const { contextLength, sequences, chatTemplate, model, tokenizer } = lease.engine;
      const textOf = (id: number | undefined): string =>
        id === undefined ? "" : (tokenizer.tokenText(id) ?? "");
      return {
        default_generation_settings: { n_ctx: contextLength, params: {} },
        total_slots: sequences,
        model_alias: lease.name,
        model_path: path,
        n_ctx_train: model.hyperparameters.contextLength,
        modalities: { vision: false, video: false, audio: false },
        endpoint_slots: true,
        endpoint_props: false,
        endpoint_metrics: true,
        slot_save: slotFolder !== undefined,
        chat_template: chatTemplate ?? "",
        bos_token: textOf(tokenizer.special.bos),
        eos_token: textOf(tokenizer.special.eos),
        build_info: `hearth-${ownVersion()}`,
        is_sleeping: false,
      };
    },
  );
  app.get<{ Querystring: { fail_on_no_slot?: string } }>(
    "/slots",
    {
      schema: {
        summary: "The places for answers",
        tags,
        querystring: slotsQuery,
        response: okAnswer({ json: slotsAnswer }),
      },
    },
    async ({ query }, reply) => {
      using lease = await models.acquire(modelIn(query), { signal: whenGone(reply) });
      const slots = slotsOf(lease.engine);
      const isFull = lease.engine.activity.running >= slots.length;
      if (isFull && query.fail_on_no_slot !== undefined) {
        throw new RequestError("unavailable", "no slot available: all are answering");
      }
      return slots;
    },
  );
}

export function modelIn(query: unknown): string | undefined {
  const { model } = query as { readonly model?: unknown };
  return typeof model === "string" ? model : undefined;
}

/** Places have no names in hearth: so many are taken, whichever these are. */
function slotsOf({ sequences, contextLength, activity }: Engine): readonly object[] {
  return Array.from({ length: sequences }, (_, id) => ({
    id,
    n_ctx: contextLength,
    speculative: false,
    is_processing: id < activity.running,
  }));
}
