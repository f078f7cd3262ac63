/** How a model runs now, as far as a person may choose it while the server runs. */
import type { Bytes, Tokens } from "../../core/units.ts";
import type { ModelHost } from "../models/host.ts";

export interface RunningFacts {
  readonly context: Tokens;
  /** Null where it uses no card, or takes what there is. */
  readonly vram_budget: Bytes | null;
  readonly device: string;
}

/** Undefined for a model that is not in memory. */
export function runningFacts(models: ModelHost, name: string): RunningFacts | undefined {
  const engine = models.loaded().find((one) => one.name === name)?.engine;
  if (engine === undefined) return undefined;
  const budget = engine.plan?.inputs.budgetBytes ?? models.settings(name).vramBudget ?? null;
  return { context: engine.contextLength, vram_budget: budget, device: engine.device };
}
