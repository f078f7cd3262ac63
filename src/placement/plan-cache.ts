/** Plans kept in a cache, one file for each key. A damaged or older file is as if it were not there. */
import { FileFormatError } from "../core/errors.ts";
import type { Cache } from "../io/cache.ts";
import { type Plan, type PlanInputs, planKey } from "./plan.ts";
import { parsePlan, serialisePlan } from "./plan-json.ts";

/**
 * Raised whenever the planner makes another plan of the same inputs, or predicts another speed: what older code kept is
 * then planned again. Plans that the user keeps are not judged by it: they are as valid as before.
 */
const plannerVersion = 3;

/** The plan made from exactly these inputs by this version of the planner, if the cache has it. */
export function readCachedPlan(
  cache: Cache,
  inputs: PlanInputs,
  version: number = plannerVersion,
): Plan | undefined {
  const file = planFile(planKey(inputs), version);
  const text = cache.read(file);
  if (text === undefined) return undefined;
  try {
    return parsePlan(text, file);
  } catch (error) {
    if (error instanceof FileFormatError) return undefined;
    throw error;
  }
}

/** Returns the plan; where it could not be kept, with a notice that says so. */
export async function keepPlan(
  cache: Cache,
  plan: Plan,
  version: number = plannerVersion,
): Promise<Plan> {
  const notice = await cache.keep(planFile(plan.key, version), serialisePlan(plan));
  return notice === undefined ? plan : { ...plan, notices: [...plan.notices, notice] };
}

/** Removes the plan made from these inputs, if the cache has it. */
export function forgetCachedPlan(cache: Cache, inputs: PlanInputs): void {
  cache.forget(planFile(planKey(inputs), plannerVersion));
}

function planFile(key: string, version: number): string {
  return `${key}-${version}.plan.json`;
}
