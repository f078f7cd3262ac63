/** Whether what a plan leaves to the processor fits into the system's memory: weights are mapped, so nothing fails where it does not. */
import { type Bytes, formatBytes } from "../core/units.ts";
import type { Plan } from "../placement/plan.ts";

/** @param system bytes that this process may have. */
export function coldMemoryNotices(
  { cpuBytes }: Pick<Plan, "cpuBytes">,
  system: Bytes,
): readonly string[] {
  if (cpuBytes <= system) return [];
  return [
    `What the plan leaves to the processor takes ${formatBytes(cpuBytes)}, this machine has ${formatBytes(system)}: ` +
      "the rest is read from disk for every token, and the predicted speed is not reached. Take a larger budget of the card, or a smaller quantisation.",
  ];
}
