/** The page inside a file of `hearth plan --html`: the same plans, made before; it asks nobody for anything. */
import { render, type VNode } from "preact";
import { useState } from "preact/hooks";
import { isRecord } from "./api/failures.ts";
import { type MachineChoice, PlanBoard } from "./plan/board.tsx";
import { type BudgetPlans, budgetPlansIn, placeOfBudget } from "./plan/budget-plans.ts";
import "./style/style.css";
import { texts } from "./texts.ts";

/** What the command writes into the element with the id "plans" (src/cli/plan-html.ts). */
interface PlanFile {
  readonly model: string;
  readonly hearth: string;
  readonly machines: readonly MachineChoice[];
  readonly contexts: readonly number[];
  /** By machine, then by context; a text says why there is none. */
  readonly plans: Readonly<Record<string, readonly (BudgetPlans | string)[]>>;
  /** What is shown first. */
  readonly machine: string;
  readonly context: number;
}

function FilePage({ file }: { readonly file: PlanFile }): VNode {
  const [machine, setMachine] = useState(file.machine);
  const [context, setContext] = useState(file.context);
  const [bytes, setBytes] = useState<number>();
  const found = file.plans[machine]?.[file.contexts.indexOf(context)];
  const first = file.plans[file.machine]?.[file.contexts.indexOf(file.context)];
  const plans = budgetPlansIn(found) ?? budgetPlansIn(first);
  const budget = plans && placeOfBudget(plans, bytes ?? plans.wanted_budget_bytes);
  return (
    <main>
      <div class="plan-view" tabIndex={-1}>
        <h1>{texts.plan.file.title(file.model)}</h1>
        <p class="lead">{texts.plan.lead}</p>
        {typeof found === "string" && (
          <p class="note failed" role="alert">
            {found}
          </p>
        )}
        {plans !== undefined && budget !== undefined && (
          <PlanBoard
            plans={{ ...plans, contexts: file.contexts }}
            parallel={1}
            machines={file.machines}
            machine={machine}
            onMachine={setMachine}
            context={context}
            onContext={setContext}
            budget={budget}
            onBudget={(place) => setBytes(plans.plans[place]?.budget_bytes)}
            isStale={typeof found === "string"}
          />
        )}
        <p class="hint">{texts.plan.file.made(file.hearth)}</p>
      </div>
    </main>
  );
}

const text = document.getElementById("plans")?.textContent ?? "";
const place = document.getElementById("app");
const file: unknown = JSON.parse(text);
if (place !== null && isRecord(file))
  render(<FilePage file={file as unknown as PlanFile} />, place);
