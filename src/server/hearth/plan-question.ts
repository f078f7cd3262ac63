/** What the server asks its planning thread, and what comes back. */
import {
  type BudgetPlansOptions,
  type PlannableMachine,
  type PlannableOptions,
  planBudgets,
  plannableMachines,
} from "../../index.ts";
import type { Failure } from "../errors.ts";

export type PlanQuestion =
  | { readonly kind: "machines"; readonly options: PlannableOptions }
  | { readonly kind: "budgets"; readonly path: string; readonly options: BudgetPlansOptions };

export type PlanReply =
  | { readonly kind: "answer"; readonly value: object }
  | { readonly kind: "failure"; readonly failure: Failure };

/** The machines, or the object that docs/formats/budget-plans.md describes. @throws what planBudgets does */
export async function answerPlanQuestion(
  question: PlanQuestion,
): Promise<object | readonly PlannableMachine[]> {
  if (question.kind === "machines") return await plannableMachines(question.options);
  const { json } = await planBudgets(question.path, question.options);
  return json;
}
