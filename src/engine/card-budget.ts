/** How much of a card's memory a model may take: one rule for running and for planning. */
import { OptionError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";

export interface CardMemory {
  readonly name: string;
  /** Undefined where neither driver nor system reports it. */
  readonly memory?: Bytes | undefined;
  /** What of it nobody used when it was asked for; undefined likewise. */
  readonly free?: Bytes | undefined;
}

/**
 * The desktop and the driver need some of a card's memory, and what they use changes: a tenth is left to them unless a
 * budget is given.
 */
const usableShare = 0.9;

/** @throws OptionError for a budget above the card's memory, and for none where the memory is unknown. */
export function cardBudget(
  { name, memory, free }: CardMemory,
  vramBudget: Bytes | undefined,
): Bytes {
  if (vramBudget === undefined) {
    if (memory !== undefined) return Math.floor(Math.min(memory * usableShare, free ?? memory));
    throw new OptionError(
      "vramBudget",
      `nothing, and the memory of ${name} is unknown`,
      "a budget: how much of the card may be taken",
    );
  }
  if (memory !== undefined && vramBudget > memory) {
    throw new OptionError(
      "vramBudget",
      `${formatBytes(vramBudget)} (${vramBudget} bytes)`,
      `at most ${formatBytes(memory)} (${memory} bytes), the memory of ${name}`,
    );
  }
  return vramBudget;
}

/** What the user should know of a budget that will likely not be had. */
export function budgetNotices(
  { name, free }: CardMemory,
  vramBudget: Bytes | undefined,
): readonly string[] {
  if (vramBudget === undefined || free === undefined || vramBudget <= free) return [];
  return [
    `the VRAM budget of ${formatBytes(vramBudget)} is more than the ${formatBytes(free)} that are free on ${name} now`,
  ];
}

/** A card may give less than it reports: each retry asks for so much of what was asked for before. */
const retryShare = 0.8;
/** The last is a quarter of the first budget: with less nothing is gained any more. */
const maxRetries = 6;

/** Smaller budgets to try after `budget` was not to be had, the largest first. */
export function smallerBudgets(budget: Bytes): readonly Bytes[] {
  return Array.from({ length: maxRetries }, (_, i) => Math.floor(budget * retryShare ** (i + 1)));
}
