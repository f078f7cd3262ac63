/** How much of a card's memory a model may take: one rule for running and for planning. */
import { OptionError } from "../core/errors.ts";
import { type Bytes, formatBytes } from "../core/units.ts";

export interface CardMemory {
  readonly name: string;
  /** Undefined where neither driver nor system reports it. */
  readonly memory?: Bytes | undefined;
}

/** The desktop and the driver need some of a card's memory: a tenth is left to them unless a budget is given. */
const usableShare = 0.9;

/** @throws OptionError for a budget above the card's memory, and for none where the memory is unknown. */
export function cardBudget({ name, memory }: CardMemory, vramBudget: Bytes | undefined): Bytes {
  if (vramBudget === undefined) {
    if (memory !== undefined) return Math.floor(memory * usableShare);
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
