/**
 * A card may give less memory than it reports: other programs take some between the question and the allocation, and
 * drivers keep some for themselves. Then the model is opened with smaller budgets, unless the caller set one.
 */
import { loadAddon } from "../backends/addon.ts";
import { LimitError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import { smallerBudgets } from "./card-budget.ts";
import type { ChosenDevice } from "./choose-device.ts";
import type { ResolvedEngineOptions } from "./resolve-options.ts";

type OnCard = Exclude<ChosenDevice, { kind: "host" }>;

/** What `open` gives for the first choice whose memory the card has. @throws what the last of them failed with. */
export async function openWithinCard<Opened>(
  chosen: OnCard,
  options: Pick<ResolvedEngineOptions, "device" | "vramBudget" | "plan">,
  open: (choice: OnCard) => Promise<Opened>,
): Promise<Opened> {
  let choice = chosen;
  for (const budget of budgetsToTry(chosen, options)) {
    try {
      return await open(choice);
    } catch (error) {
      if (!(error instanceof LimitError && error.resource === "card memory")) throw error;
      choice = withBudget(chosen, budget);
    }
  }
  return open(choice);
}

/** None where the caller wants this budget, this placement or the whole model on the card. */
function budgetsToTry(
  { kind, budget }: OnCard,
  { device, vramBudget, plan }: Pick<ResolvedEngineOptions, "device" | "vramBudget" | "plan">,
): readonly Bytes[] {
  if (budget === undefined || vramBudget !== undefined || plan !== undefined) return [];
  const canSplit = kind === "hybrid" || (device === "auto" && loadAddon().kind === "loaded");
  return canSplit ? smallerBudgets(budget) : [];
}

function withBudget(chosen: OnCard, budget: Bytes): OnCard {
  const { adapter, notices, details } = chosen;
  const asked = chosen.budget === undefined ? "" : ` of ${formatBytes(chosen.budget)}`;
  const less = `${adapter.name} did not give the budget${asked}; it is opened with ${formatBytes(budget)}`;
  return { kind: "hybrid", adapter, budget, notices: [...notices, less], details };
}
