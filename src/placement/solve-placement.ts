/**
 * The door to the solvers: off the event loop in a worker thread where hearth runs as compiled JavaScript,
 * in the calling thread where it runs from TypeScript sources (tests), as a worker cannot load those.
 */
import { Worker } from "node:worker_threads";
import { DeviceError } from "../core/errors.ts";
import { builtModule } from "../core/package-root.ts";
import type { Bytes } from "../core/units.ts";
import type { PlacementProblem } from "./problem.ts";
import { orEverything, type Solution } from "./solution.ts";
import { solveExactly } from "./solve.ts";
import { solveWithHighs } from "./solve-highs.ts";

export type Solver = "exact" | "highs";
export const solvers: readonly Solver[] = ["exact", "highs"];

/** What the worker is sent. */
export interface SolveRequest {
  readonly problem: PlacementProblem;
  readonly solver: Solver;
  readonly budgets: readonly Bytes[];
}

/** The best placement within the problem's budget. */
export async function solvePlacement(problem: PlacementProblem, solver: Solver): Promise<Solution> {
  const [solution] = await solveBudgets({ problem, solver, budgets: [problem.budgetBytes] });
  if (solution === undefined) throw new DeviceError("the solver gave no answer");
  return solution;
}

/** The best placement for each of several budgets, in their order; `exact` finds them in one pass. */
export async function solveBudgets(request: SolveRequest): Promise<readonly Solution[]> {
  const module = builtModule("placement/solve-worker.js");
  if (module === undefined) return answerRequest(request);
  const worker = new Worker(module, { workerData: request });
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", (error) => reject(new DeviceError(error.message)));
    worker.once("exit", (code) => {
      reject(
        new DeviceError(`the placement solver's thread ended with code ${code} and no answer`),
      );
    });
  });
}

/** Solves in this thread. */
export async function answerRequest({
  problem,
  solver,
  budgets,
}: SolveRequest): Promise<readonly Solution[]> {
  switch (solver) {
    case "exact":
      return solveExactly(problem, budgets).map((solution) => orEverything(problem, solution));
    case "highs": {
      const solutions: Solution[] = [];
      for (const budgetBytes of budgets)
        solutions.push(orEverything(problem, await solveWithHighs({ ...problem, budgetBytes })));
      return solutions;
    }
    default:
      return solver satisfies never;
  }
}
