/** `/hearth/reload`: opens a model with another context or budget, for who has a key. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { requireFit } from "../models/memory.ts";
import { okAnswer } from "../openapi.ts";
import { usesCard } from "./plan-routes.ts";
import { runningFacts } from "./running-facts.ts";
import { reloadAnswer } from "./schemas.ts";

interface ReloadBody {
  readonly model?: string | undefined;
  readonly context?: number | undefined;
  readonly vram_budget?: number | undefined;
}

const fields: BodyFields<ReloadBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      context: z
        .number()
        .int()
        .min(1)
        .max(2 ** 31)
        .optional()
        .describe("Absent: as serve says"),
      vram_budget: z
        .number()
        .int()
        .min(0)
        .max(2 ** 50)
        .optional()
        .describe("Bytes, likewise"),
    })
    .meta({ id: "ReloadRequest" }),
  idle: [],
  absent: {},
};

export function addReloadRoute(app: App, context: ServerContext): void {
  const { models, options, log } = context;
  const judge = createBodyCheck(fields, context);
  const schema = {
    summary: "Opens a model with another context or budget, after its running answers",
    tags: ["hearth"],
    body: bodySchema(fields),
    response: okAnswer({ json: reloadAnswer }),
  };
  app.post("/hearth/reload", { schema }, async (asked, reply) => {
    requireKey(context);
    const { model, context: contextLength, vram_budget: vramBudget } = judge(asked, reply);
    if (vramBudget !== undefined) requireCard(context);
    const entry = await models.find(model);
    const settings = defined({ contextLength, vramBudget });
    // What can be known before is said while the model still answers.
    await requireFit({ ...entry, settings }, options);
    log.info({ model: entry.name }, `${entry.name} is opened again: ${JSON.stringify(settings)}`);
    await models.reload(entry.name, settings);
    const running = runningFacts(models, entry.name);
    if (running !== undefined) return { model: entry.name, ...running };
    throw new RequestError(
      "unavailable",
      `${entry.name} was loaded, and sent away again meanwhile`,
    );
  });
}

/** @throws RequestError where nobody has a key */
function requireKey({ mayChangeServer }: ServerContext): void {
  if (mayChangeServer) return;
  const message = "a model is opened otherwise for those alone who have a key: serve --api-key";
  throw new RequestError("not permitted", message);
}

/** @throws RequestError where models run on the processor whatever a budget says */
function requireCard({ options }: ServerContext): void {
  if (usesCard(options)) return;
  const message = `vram_budget: this server runs models on the processor (--device ${options.engine.device})`;
  throw new RequestError("not supported", message, { field: "vram_budget" });
}
