/** The view in which a person sees what a card brings to a model, and loads it so. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { modelFor } from "../api/models.ts";
import { useApp } from "../app-parts.ts";
import { texts } from "../texts.ts";
import { ApplyPlan } from "./apply-plan.tsx";
import { PlanBoard } from "./board.tsx";
import { placeOfBudget } from "./budget-plans.ts";
import type { Plannable } from "./plannable.ts";
import { useBudgetPlans, usePlannable } from "./use-plans.ts";

export function PlanView(): VNode {
  const { chats, connection, preferences } = useApp();
  const models = connection.models.value;
  const [chosen, setChosen] = useState<string>();
  const [chosenMachine, setMachine] = useState<string>();
  const [context, setContext] = useState<number>();
  const [bytes, setBytes] = useState<number>();
  const [applied, setApplied] = useState(0);
  const own = (chats.open.value ?? preferences.forNew.value).model;
  const model = modelFor(models, chosen ?? own)?.name;
  // A server that is back, or that has got its key, is asked again.
  const condition = connection.condition.value.kind;
  const state = `${condition} ${applied}`;
  const plannable = usePlannable(model, state);
  const machine = chosenMachine ?? (plannable && firstMachine(plannable));
  const { plans, failure, isStale, isCoarse } = useBudgetPlans({ model, machine, context }, state);
  useEffect(() => {
    document.title = `${texts.views.plan} · ${texts.name}`;
  }, []);
  const running = machine === "" ? plannable?.running?.vram_budget : undefined;
  const budget = plans && placeOfBudget(plans, bytes ?? running ?? plans.wanted_budget_bytes);
  const plan = budget === undefined ? undefined : plans?.plans[budget];
  const pick = (name: string): void => {
    setChosen(name);
    setContext(undefined);
  };
  return (
    <div class="plan-view" tabIndex={-1}>
      <h1>{texts.plan.title}</h1>
      <p class="lead">{texts.plan.lead}</p>
      {failure !== undefined && (
        <p class="note failed" role="alert">
          {failure}
        </p>
      )}
      {plans === undefined && failure === undefined && (
        <p class="progress" role="status">
          {condition === "ready" && model === undefined ? texts.model.none : texts.plan.planning}
        </p>
      )}
      {plans && plan && plannable && machine !== undefined && budget !== undefined && (
        <PlanBoard
          plans={plans}
          parallel={plannable.parallel}
          machines={plannable.machines}
          machine={machine}
          onMachine={setMachine}
          context={context ?? plans.inputs.context}
          onContext={setContext}
          budget={budget}
          onBudget={(place) => setBytes(plans.plans[place]?.budget_bytes)}
          isStale={isStale}
          isCoarse={isCoarse}
          before={
            models.length > 1 && (
              <label class="control">
                <span>{texts.model.label}</span>
                <select value={model} onChange={({ currentTarget }) => pick(currentTarget.value)}>
                  {models.map(({ name }) => (
                    <option key={name} value={name}>
                      {name}
                    </option>
                  ))}
                </select>
              </label>
            )
          }
        >
          <ApplyPlan
            plannable={plannable}
            plans={plans}
            plan={plan}
            machine={machine}
            isStale={isStale}
            onApplied={() => setApplied(applied + 1)}
          />
        </PlanBoard>
      )}
    </div>
  );
}

/** This one; without a card the first that has one, so that there is something to see. */
function firstMachine({ machines }: Plannable): string {
  const [own, first] = machines;
  return own?.card === null ? (first?.name ?? "") : "";
}
