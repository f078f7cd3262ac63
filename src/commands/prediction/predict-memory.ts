/** What memory an engine will take with its options, before it is opened: from the header of the model. Loads no weight. */
import { checkOptions } from "../../core/check-options.ts";
import type { Bytes } from "../../core/units.ts";
import { cardBudget } from "../../engine/card-budget.ts";
import { cardFor, wholeBytes } from "../../engine/largest-context.ts";
import { type ModelSetup, openSetup } from "../../engine/model-setup.ts";
import { neededMemory } from "../../engine/needed-memory.ts";
import { engineRules } from "../../engine/option-rules.ts";
import type { EngineOptions } from "../../engine/options.ts";
import { denseSparsity } from "../../engine/resolve-sparsity.ts";
import { memoryOfProcess } from "../../io/cgroup.ts";

export interface MemoryNeed {
  /** Of the system's memory: weights of all parts, caches of all sequences, buffers of a step, and `cacheRam`. */
  readonly systemBytes: Bytes;
  /** What this process may have of it at most. */
  readonly availableBytes: Bytes;
  /** Where a card is to hold the whole model: what it takes there, and what the card gives now. */
  readonly card?: { readonly neededBytes: Bytes; readonly budgetBytes: Bytes };
}

/** Of a model that is on two devices, all counts as the system's. @throws as `Engine.open` does before it loads anything */
export async function predictMemory(
  path: string,
  options: EngineOptions = {},
): Promise<MemoryNeed> {
  checkOptions(options, engineRules, "engine");
  const setup = await openSetup(path, options, "per sequence");
  const { cacheRam = 0 } = setup.options;
  const availableBytes = memoryOfProcess();
  const card = await cardNeed(setup);
  if (card !== undefined) return { systemBytes: cacheRam, availableBytes, card };
  const systemBytes = neededMemory({ ...setup, sparsity: denseSparsity }) + cacheRam;
  return { systemBytes, availableBytes };
}

/** With device auto, a card that has too little room leaves the model to the system's memory. */
async function cardNeed(setup: ModelSetup): Promise<MemoryNeed["card"]> {
  const { device, vramBudget } = setup.options;
  if (device === "hybrid") return undefined;
  const adapter = await cardFor(setup.options);
  if (adapter === undefined) return undefined;
  const neededBytes = wholeBytes(setup, adapter);
  const { free = Number.POSITIVE_INFINITY } = adapter;
  const budgetBytes = Math.min(free, cardBudget(adapter, vramBudget));
  const isChosen = device === "gpu" || neededBytes <= budgetBytes;
  return isChosen ? { neededBytes, budgetBytes } : undefined;
}
