/** A plan that the user keeps in a file: `hearth plan --json` wrote it. */
import { readTextFile } from "../io/open-file.ts";
import type { Plan } from "../placement/plan.ts";
import { parsePlan } from "../placement/plan-json.ts";

/** @throws FileFormatError for a damaged file, FileAccessError for one that cannot be read. */
export function readPlan(path: string): Plan {
  return parsePlan(readTextFile(path), path);
}
