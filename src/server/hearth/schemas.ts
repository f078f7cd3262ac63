/** What hearth's own routes answer, for /openapi.json. */
import { z } from "zod";

const bytes = z.number().int().min(0);
const count = z.number().int().min(0);
const card = z.object({ name: z.string(), memory_bytes: bytes.nullable() }).nullable();

export const plannableAnswer: z.ZodType = z
  .object({
    machines: z.array(
      z.object({
        machine: z.string().nullable().describe("As a plan is asked for; null: this one"),
        processor: z.string(),
        card,
      }),
    ),
    parallel: count.describe("Answers at once, each with a context: plans count them all"),
    model: z.string(),
    running: z
      .object({ context: count, vram_budget: bytes.nullable(), device: z.string() })
      .nullable()
      .describe("How the model runs now; null: it is not loaded"),
    may_apply: z.boolean(),
    uses_card: z.boolean().describe("Whether a budget can be applied here"),
  })
  .meta({ id: "Plannable" });

const point = z.object({ budget_bytes: bytes, predicted_tokens_per_second: z.number() });
const perLayer = z.array(z.number().min(0));

/** docs/formats/budget-plans.md */
export const budgetPlansAnswer: z.ZodType = z
  .object({
    version: z.literal(1),
    inputs: z.record(z.string(), z.unknown()),
    hardware_name: z.string(),
    hardware_origin: z.enum(["measured", "described"]),
    processor: z.string(),
    card,
    contexts: z.array(count),
    wanted_budget_bytes: bytes,
    layers: z.object({
      unit: z.array(z.enum(["neuron", "expert"])),
      units: perLayer,
      attention_bytes: perLayer,
      kv_cache_bytes: perLayer,
      ffn_bytes: perLayer,
    }),
    plans: z.array(
      z.object({
        budget_bytes: bytes,
        gpu_bytes: bytes,
        cpu_bytes: bytes,
        gpu_activation_share: z.number(),
        predicted_tokens_per_second: z.number(),
        gap: z.number(),
        notes: z.array(z.string()),
        memory: z.record(z.string(), z.record(z.string(), bytes)),
        output_device: z.string(),
        further: z.array(point),
        first_gpu_layer: count,
        hot: z.array(count),
        predicting: z.array(count),
      }),
    ),
  })
  .meta({ id: "BudgetPlans" });

export const reloadAnswer: z.ZodType = z
  .object({ model: z.string(), context: count, vram_budget: bytes.nullable(), device: z.string() })
  .meta({ id: "Reloaded" });
