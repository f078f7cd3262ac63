/** `/api/version`, `/api/tags`, `/api/show`, `/api/ps`: which models there are, and what is known of them. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { ownVersion } from "../../core/version.ts";
import type { ModelAbility } from "../../index.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import type { LoadedModel } from "../models/loaded-model.ts";
import { okAnswer } from "../openapi.ts";
import { runningAnswer, showAnswer, tagsAnswer, versionAnswer } from "./answer-schemas.ts";
import { detailsOf, KnownFiles } from "./facts.ts";

/** Of the Ollama whose interface this is: clients refuse older ones. */
const interfaceVersion = "0.11.0";

interface ShowBody {
  readonly model?: string | undefined;
  readonly name?: string | undefined;
}

const showFields: BodyFields<ShowBody> = {
  schema: z
    .object({ model: z.string().min(1).optional(), name: z.string().min(1).optional() })
    .meta({ id: "OllamaShowRequest" }),
  idle: ["verbose"],
  absent: {},
};

export function addModelRoutes(app: App, context: ServerContext): void {
  const { models } = context;
  const files = new KnownFiles();
  const tags = ["ollama"];
  app.get(
    "/api/version",
    {
      schema: {
        summary: "The version of Ollama's interface",
        tags,
        response: okAnswer({ json: versionAnswer }),
      },
    },
    () => ({
      version: interfaceVersion,
      hearth: ownVersion(),
    }),
  );
  const tagsSchema = {
    summary: "The models that there are",
    tags,
    response: okAnswer({ json: tagsAnswer }),
  };
  app.get("/api/tags", { schema: tagsSchema }, async () => {
    const shown: object[] = [];
    for (const entry of await models.catalogue.list()) {
      const facts = files.of(entry);
      if (facts === undefined) continue;
      const { inspection, modifiedAt, digest } = facts;
      const named = { name: entry.name, model: entry.name, modified_at: modifiedAt };
      shown.push({ ...named, size: inspection.fileBytes, digest, details: detailsOf(inspection) });
      await nextTurn();
    }
    return { models: shown };
  });
  const judge = createBodyCheck(showFields, context);
  app.post(
    "/api/show",
    {
      schema: {
        summary: "What is known of a model",
        tags,
        body: bodySchema(showFields),
        response: okAnswer({ json: showAnswer }),
      },
    },
    async (asked, reply) => {
      const { model, name = model } = judge(asked, reply);
      const entry = await models.find(name);
      const facts = files.of(entry);
      if (facts === undefined)
        throw new RequestError("not found", `the file of ${entry.name} cannot be read`);
      return describe(facts, files.abilitiesOf(facts));
    },
  );
  const psSchema = {
    summary: "The models that are loaded",
    tags,
    response: okAnswer({ json: runningAnswer }),
  };
  app.get("/api/ps", { schema: psSchema }, async () => {
    const entries = await models.catalogue.list();
    const shown = models.loaded().map(async (loaded) => {
      const entry = entries.find(({ name }) => name === loaded.name);
      const facts = entry && files.of(entry);
      return describeLoaded(loaded, facts);
    });
    return { models: await Promise.all(shown) };
  });
}

type Facts = NonNullable<ReturnType<KnownFiles["of"]>>;

/** Every model embeds; none here sees pictures. */
const capabilityOf: Readonly<Record<ModelAbility, string>> = {
  tools: "tools",
  thinking: "thinking",
  "fill-in": "insert",
};

function describe({ inspection, modifiedAt }: Facts, abilities: readonly ModelAbility[]): object {
  const { architecture, parameters, contextLength, values, metadata } = inspection;
  const facts = metadata.filter(([key]) => !key.startsWith("tokenizer."));
  return {
    modelfile: "",
    parameters: "",
    template: String(values.get("tokenizer.chat_template") ?? ""),
    details: detailsOf(inspection),
    model_info: {
      // Lists are null, as Ollama shows long ones.
      ...Object.fromEntries(facts.map(([key]) => [key, values.get(key) ?? null])),
      "general.architecture": architecture,
      "general.parameter_count": parameters,
      ...(contextLength !== undefined && { [`${architecture}.context_length`]: contextLength }),
      ...(inspection.model && {
        [`${architecture}.embedding_length`]: inspection.model.hyperparameters.dim,
      }),
    },
    capabilities: ["completion", ...abilities.map((one) => capabilityOf[one]), "embedding"],
    modified_at: modifiedAt,
  };
}

async function describeLoaded(
  { name, engine, expiresAt }: LoadedModel,
  facts: Facts | undefined,
): Promise<object> {
  const { gpu } = await engine.report();
  return {
    name,
    model: name,
    size: facts?.inspection.fileBytes ?? 0,
    digest: facts?.digest ?? "",
    details: facts ? detailsOf(facts.inspection) : {},
    expires_at: expiresAt.toISOString(),
    size_vram: gpu?.bytes ?? 0,
    context_length: engine.contextLength,
  };
}
