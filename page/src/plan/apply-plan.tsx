/** Loads the model as it is planned, where that is possible here; else says why it is not. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { ServerError } from "../api/failures.ts";
import { modelFor } from "../api/models.ts";
import { useApp } from "../app-parts.ts";
import { failureText, texts } from "../texts.ts";
import type { BudgetPlan, BudgetPlans } from "./budget-plans.ts";
import type { Plannable } from "./plannable.ts";

export interface ApplyPlanProps {
  readonly plannable: Plannable;
  readonly plans: BudgetPlans;
  readonly plan: BudgetPlan;
  /** "": this one. */
  readonly machine: string;
  readonly isStale: boolean;
  readonly onApplied: () => void;
}

export function ApplyPlan(props: ApplyPlanProps): VNode {
  const { plannable, plans, plan, machine, isStale, onApplied } = props;
  const { server, connection, announcement } = useApp();
  const [failure, setFailure] = useState<string>();
  const [isLoading, setLoading] = useState(false);
  const { model, mayApply, usesCard, running } = plannable;
  const { context } = plans.inputs;
  if (machine !== "") return <p class="hint">{texts.plan.elsewhere}</p>;
  const isSame =
    running?.context === context && (!usesCard || running.vram_budget === plan.budget_bytes);
  const apply = async (): Promise<void> => {
    setFailure(undefined);
    setLoading(true);
    const endWatch = connection.watchModel(model);
    try {
      const budget = usesCard ? { vram_budget: plan.budget_bytes } : {};
      await server.json("hearth/reload", { body: { model, context, ...budget } });
      announcement.value = texts.plan.applied;
      onApplied();
    } catch (error) {
      const reason = error instanceof ServerError ? failureText(error.failure) : String(error);
      setFailure(texts.plan.notApplied(reason));
    } finally {
      endWatch();
      setLoading(false);
      void connection.look();
    }
  };
  const { status } = modelFor(connection.models.value, model) ?? {};
  const share = status?.kind === "loading" ? status.share : undefined;
  return (
    <div class="apply">
      {mayApply ? (
        <button
          type="button"
          class="primary"
          disabled={isLoading || isStale || isSame}
          onClick={() => void apply()}
        >
          {texts.plan.apply}
        </button>
      ) : (
        <p class="hint">{texts.plan.noKey}</p>
      )}
      {isSame && !isLoading && <p class="hint">{texts.plan.runsSo}</p>}
      {isLoading && (
        <p class="hint" role="status">
          {texts.plan.applying(share)}
        </p>
      )}
      {failure !== undefined && (
        <p class="note failed" role="alert">
          {failure}
        </p>
      )}
    </div>
  );
}
