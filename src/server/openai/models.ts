/** `/v1/models`: which models there are, with what is known of those that are loaded. */
import { statSync } from "node:fs";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import type { CatalogueEntry } from "../models/catalogue.ts";
import { okAnswer } from "../openapi.ts";
import { modelAnswer, modelsAnswer } from "./answer-schemas.ts";

export function addModelRoutes(app: App, { models }: ServerContext): void {
  const describe = ({ name, path }: CatalogueEntry): object => {
    const loaded = models.loaded().find((one) => one.name === name)?.engine;
    const stat = statSync(path, { throwIfNoEntry: false });
    return {
      id: name,
      object: "model",
      created: Math.floor((stat?.mtimeMs ?? 0) / 1000),
      owned_by: "hearth",
      status: loaded === undefined ? statusOf(models.opening(name)) : { value: "loaded" },
      ...(loaded && { meta: describeLoaded(loaded) }),
    };
  };
  const schema = {
    summary: "The models that there are",
    tags: ["openai"],
    response: okAnswer({ json: modelsAnswer }),
  };
  for (const url of ["/v1/models", "/models"]) {
    app.get(url, { schema }, async () => {
      const entries = await models.catalogue.list();
      return { object: "list", data: entries.map(describe) };
    });
  }
  app.get<{ Params: { "*": string } }>(
    "/v1/models/*",
    {
      schema: {
        summary: "One model",
        tags: ["openai"],
        response: okAnswer({ json: modelAnswer }),
      },
    },
    async ({ params: { "*": name } }) => {
      const entry = (await models.catalogue.list()).find((one) => one.name === name);
      if (entry !== undefined) return describe(entry);
      throw new RequestError("not found", `there is no model "${name}"`, { field: "model" });
    },
  );
}

/** `progress`: bytes of the weights that are there, and of all of them. */
function statusOf(opening: ReturnType<ServerContext["models"]["opening"]>): object {
  return opening === undefined ? { value: "unloaded" } : { value: "loading", progress: opening };
}

/** The facts that llama-server gives of a model, by its names. */
function describeLoaded({ model, tokenizer, contextLength }: LoadedEngine): object {
  return {
    vocab_type: tokenizer.kind,
    n_vocab: model.vocabulary,
    n_ctx: contextLength,
    n_ctx_train: model.hyperparameters.contextLength,
    n_embd: model.hyperparameters.dim,
    n_params: model.parameters,
    size: model.types.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

type LoadedEngine = ReturnType<ServerContext["models"]["loaded"]>[number]["engine"];
