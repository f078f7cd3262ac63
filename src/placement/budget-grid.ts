/** Which budgets of a card and contexts of a model are looked at, where somebody wants to see what each would bring. */
import type { Bytes, Tokens } from "../core/units.ts";

/** Steps of a card's memory at most: finer than that nobody moves a slider. */
export const mostSteps = 48;

/**
 * Rising budgets in equal steps, powers of two, from 0 to where everything is on the card or the card is full; those of
 * `wanted` that lie between are among them. Fewer `steps` give some of the same budgets, and the same last one.
 */
export function budgetGrid(
  memory: Bytes,
  everything: Bytes,
  { wanted, steps = mostSteps }: { readonly wanted: readonly Bytes[]; readonly steps?: number },
): readonly Bytes[] {
  const enough = Math.min(memory, Math.max(1, everything));
  const stepOf = (count: number): Bytes => Math.max(1, 2 ** Math.ceil(Math.log2(enough / count)));
  const finest = stepOf(mostSteps);
  const end = Math.min(memory, Math.ceil(enough / finest) * finest);
  const step = stepOf(steps);
  const even = Array.from({ length: Math.ceil(end / step) }, (_, index) => index * step);
  const within = wanted.filter((bytes) => bytes <= end);
  return [...new Set([...even, ...within, end])].sort((a, b) => a - b);
}

/** Shorter contexts are of no use to a model that was trained for longer ones. */
const shortContext: Tokens = 1024;
/** Of a model that was trained for less: as a share of that. */
const shortShare = 1 / 8;

/** Rising: powers of two up to what the model was trained for, that, and those that are `wanted`. */
export function contextGrid(trained: Tokens, wanted: readonly Tokens[]): readonly Tokens[] {
  const least = Math.max(1, Math.min(shortContext, Math.floor(trained * shortShare)));
  const found = new Set([trained, ...wanted]);
  for (let context = 2 ** Math.ceil(Math.log2(least)); context <= trained; context *= 2)
    found.add(context);
  return [...found].sort((a, b) => a - b);
}
