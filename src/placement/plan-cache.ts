/** Plans kept in a folder, one file for each key. A damaged or older file is as if it were not there. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FileFormatError } from "../core/errors.ts";
import { type Plan, type PlanInputs, planKey } from "./plan.ts";
import { parsePlan, serialisePlan } from "./plan-json.ts";

/**
 * Raised whenever the planner makes another plan of the same inputs, or predicts another speed: what older code kept is
 * then planned again. Plans that the user keeps are not judged by it: they are as valid as before.
 */
const plannerVersion = 2;

/** The plan made from exactly these inputs by this version of the planner, if the folder has it. */
export async function readCachedPlan(
  folder: string,
  inputs: PlanInputs,
  version: number = plannerVersion,
): Promise<Plan | undefined> {
  const file = planFile(folder, planKey(inputs), version);
  try {
    return parsePlan(await readFile(file, "utf8"), file);
  } catch (error) {
    if (error instanceof FileFormatError) return undefined;
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Written beside and renamed, so that a reader never sees half a plan. Returns the file's path. */
export async function writeCachedPlan(
  folder: string,
  plan: Plan,
  version: number = plannerVersion,
): Promise<string> {
  const file = planFile(folder, plan.key, version);
  const partial = `${file}.${randomUUID()}.partial`;
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(partial, serialisePlan(plan));
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
  return file;
}

/** Removes the plan made from these inputs, if the folder has it. */
export async function forgetCachedPlan(folder: string, inputs: PlanInputs): Promise<void> {
  await rm(planFile(folder, planKey(inputs), plannerVersion), { force: true });
}

function planFile(folder: string, key: string, version: number): string {
  return join(folder, `${key}-${version}.plan.json`);
}
