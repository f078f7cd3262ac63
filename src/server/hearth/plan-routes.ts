/** `/hearth/plan`: which machines can be planned for, and what each budget of one of them brings. */
import { z } from "zod";
import { defined } from "../../core/defined.ts";
import type { BudgetPlansOptions, PlannableOptions } from "../../index.ts";
import { type BodyFields, bodySchema, createBodyCheck } from "../body-fields.ts";
import type { App, ServerContext } from "../context.ts";
import { RequestError } from "../errors.ts";
import { whenGone } from "../gone.ts";
import { modelIn } from "../llama-cpp/props.ts";
import { okAnswer } from "../openapi.ts";
import { runningFacts } from "./running-facts.ts";
import { budgetPlansAnswer, plannableAnswer } from "./schemas.ts";

interface PlanBody {
  readonly model?: string | undefined;
  readonly machine?: string | undefined;
  readonly context?: number | undefined;
  readonly vram_budget?: number | undefined;
  readonly budget_steps?: number | undefined;
}

/** No model is longer, and no card larger. */
const mostTokens = 2 ** 31;
const mostBytes = 2 ** 50;
/** As planBudgets has them. */
const mostSteps = 48;

const fields: BodyFields<PlanBody> = {
  schema: z
    .object({
      model: z.string().optional(),
      machine: z.string().optional().describe("One of GET /hearth/plan; absent: this one"),
      context: z.number().int().min(1).max(mostTokens).optional().describe("Of each answer"),
      vram_budget: z.number().int().min(0).max(mostBytes).optional().describe("One more, in bytes"),
      budget_steps: z
        .number()
        .int()
        .min(1)
        .max(mostSteps)
        .optional()
        .describe("Fewer are sooner there (48)"),
    })
    .meta({ id: "PlanRequest" }),
  idle: [],
  absent: {},
};

export function addPlanRoutes(app: App, context: ServerContext): void {
  const { models, options, planning } = context;
  const tags = ["hearth"];
  app.get(
    "/hearth/plan",
    {
      schema: {
        summary: "For which machines a model can be planned, and how it runs now",
        tags,
        querystring: z.object({ model: z.string().optional() }),
        response: okAnswer({ json: plannableAnswer }),
      },
    },
    async ({ query }, reply) => {
      const entry = await models.find(modelIn(query));
      const machines = await planning.machines(ownHardware(options), whenGone(reply));
      return {
        machines: machines.map(({ hardware, processor, card }) => ({
          machine: hardware ?? null,
          processor,
          card:
            card === undefined ? null : { name: card.name, memory_bytes: card.memoryBytes ?? null },
        })),
        parallel: options.parallel,
        model: entry.name,
        running: runningFacts(models, entry.name) ?? null,
        may_apply: context.mayChangeServer,
        uses_card: usesCard(options) && machines[0]?.card !== undefined,
      };
    },
  );
  const judge = createBodyCheck(fields, context);
  app.post(
    "/hearth/plan",
    {
      schema: {
        summary: "What each budget of a card would bring",
        tags,
        body: bodySchema(fields),
        response: okAnswer({ json: budgetPlansAnswer }),
      },
    },
    async (asked, reply) => {
      const { model, machine, context: tokens, ...budgets } = judge(asked, reply);
      const { vram_budget: vramBudget, budget_steps: budgetSteps } = budgets;
      const signal = whenGone(reply);
      const entry = await models.find(model);
      if (machine !== undefined) await requireMachine(context, machine, signal);
      const contextLength = tokens ?? runningFacts(models, entry.name)?.context;
      const wish = defined({ hardware: machine, contextLength, vramBudget, budgetSteps });
      return await planning.budgets(entry.path, { ...ownOptions(options), ...wish }, signal);
    },
  );
}

/** @throws RequestError for what GET does not list: a name is never taken for the path of a file */
async function requireMachine(
  { options, planning }: ServerContext,
  machine: string,
  signal: AbortSignal,
): Promise<void> {
  const names = (await planning.machines(ownHardware(options), signal)).flatMap(
    ({ hardware }) => hardware ?? [],
  );
  if (names.includes(machine)) return;
  const message = `machine: there is no "${machine.slice(0, 60)}"; there are ${names.join(", ")}`;
  throw new RequestError("invalid request", message, { field: "machine" });
}

/** With which a model is opened here. */
function ownOptions({ engine, parallel }: ServerContext["options"]): BudgetPlansOptions {
  const { checkpoints, batchSize, cacheType, sparsity, sidecar } = engine;
  const { threads, gpu, hardware, objective, promptStream } = engine;
  const own = { checkpoints, batchSize, cacheType, sparsity, sidecar };
  return {
    ...defined({ ...own, threads, gpu, hardware, objective, promptStream }),
    sequences: parallel,
  };
}

function ownHardware({ engine }: ServerContext["options"]): PlannableOptions {
  return defined({ hardware: engine.hardware });
}

export function usesCard({ engine }: ServerContext["options"]): boolean {
  const { device = "auto" } = engine;
  return device !== "cpu" && device !== "reference";
}
