/**
 * Plans from the server: the last that were asked for, while others are on their way; what was seen once comes at once. Few
 * budgets are planned in a moment, whatever the model, and all of them behind these.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { ServerError } from "../api/failures.ts";
import { useApp } from "../app-parts.ts";
import { failureText, texts } from "../texts.ts";
import { type BudgetPlans, budgetPlansIn } from "./budget-plans.ts";
import { type Plannable, plannableIn } from "./plannable.ts";

/** A slider that is dragged passes many values: what it stands on for so long is asked for, in milliseconds. */
const settling = 120;
/** Of the card's memory, at first. */
const coarseSteps = 4;

export interface PlanWish {
  /** Undefined: not known yet, and nothing is asked. */
  readonly model: string | undefined;
  /** "": this machine; undefined likewise. */
  readonly machine: string | undefined;
  /** Undefined: as the model runs, or would be. */
  readonly context: number | undefined;
}

export interface Planned {
  readonly plans: BudgetPlans | undefined;
  /** In words, of what was asked for last. */
  readonly failure: string | undefined;
  readonly isStale: boolean;
  /** Further budgets of the same plans are on their way. */
  readonly isCoarse: boolean;
}

/** `state`: whatever else changes plans; another value asks anew. */
export function useBudgetPlans({ model, machine, context }: PlanWish, state: unknown): Planned {
  const { server } = useApp();
  const seen = useRef(new Map<string, BudgetPlans>());
  const [planned, setPlanned] = useState<Planned>({
    plans: undefined,
    failure: undefined,
    isStale: true,
    isCoarse: false,
  });
  useEffect(() => {
    if (model === undefined || machine === undefined) return undefined;
    const key = JSON.stringify([model, machine, context, state]);
    const known = seen.current.get(key);
    if (known !== undefined) {
      setPlanned({ plans: known, failure: undefined, isStale: false, isCoarse: false });
      return undefined;
    }
    setPlanned((before) => ({ ...before, isStale: true }));
    const asking = new AbortController();
    const { signal } = asking;
    const wish = {
      model,
      ...(machine !== "" && { machine }),
      ...(context !== undefined && { context }),
    };
    const ask = async (body: object, isCoarse: boolean): Promise<void> => {
      const plans = budgetPlansIn(await server.json("hearth/plan", { body, signal }));
      if (plans !== undefined && !isCoarse) seen.current.set(key, plans);
      const failure = plans === undefined ? texts.plan.notUnderstood : undefined;
      setPlanned((before) => ({
        plans: plans ?? before.plans,
        failure,
        isStale: false,
        isCoarse: isCoarse && plans !== undefined,
      }));
    };
    const askAll = async (): Promise<void> => {
      try {
        await ask({ ...wish, budget_steps: coarseSteps }, true);
        await ask(wish, false);
      } catch (error) {
        if (signal.aborted) return;
        const failure = error instanceof ServerError ? failureText(error.failure) : String(error);
        setPlanned((before) => ({ ...before, failure, isStale: false, isCoarse: false }));
      }
    };
    const timer = setTimeout(() => void askAll(), settling);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [server, model, machine, context, state]);
  return planned;
}

/** Undefined until it is known. */
export function usePlannable(model: string | undefined, state: unknown): Plannable | undefined {
  const { server } = useApp();
  const [plannable, setPlannable] = useState<Plannable>();
  useEffect(() => {
    if (model === undefined) return undefined;
    const asking = new AbortController();
    const { signal } = asking;
    server.json(`hearth/plan?model=${encodeURIComponent(model)}`, { signal }).then(
      (body) => setPlannable(plannableIn(body)),
      // The frame says that the server is away, or wants a key; it is asked again when it is back.
      () => undefined,
    );
    return () => asking.abort();
  }, [server, model, state]);
  return plannable;
}
