/** The plan as it is shown and played with, wherever its numbers come from: a server, or the file that this is part of. */
import type { ComponentChildren, VNode } from "preact";
import { texts } from "../texts.ts";
import { type BudgetPlans, placedLayers } from "./budget-plans.ts";
import { CurveFigure, FurtherTable } from "./curve-figure.tsx";
import { MemoryBars } from "./memory-bars.tsx";
import { PlacementFigure } from "./placement-figure.tsx";
import { SliderField } from "./slider-field.tsx";

export interface MachineChoice {
  /** "": this machine. */
  readonly name: string;
  readonly processor: string;
  readonly card: { readonly name: string; readonly memory_bytes: number | null } | null;
}

export interface BoardProps {
  readonly plans: BudgetPlans;
  /** Answers at once. */
  readonly parallel: number;
  readonly machines: readonly MachineChoice[];
  readonly machine: string;
  readonly onMachine: (name: string) => void;
  readonly context: number;
  readonly onContext: (context: number) => void;
  /** Its place in `plans.plans`. */
  readonly budget: number;
  readonly onBudget: (place: number) => void;
  /** Other plans are on their way. */
  readonly isStale: boolean;
  /** Further budgets are on their way. */
  readonly isCoarse?: boolean;
  /** Above the controls, and below the speed. */
  readonly before?: ComponentChildren;
  readonly children?: ComponentChildren;
}

export function PlanBoard(props: BoardProps): VNode | null {
  const { plans, parallel, budget, isStale, isCoarse = false } = props;
  const plan = plans.plans[budget];
  if (plan === undefined) return null;
  const speed = plan.predicted_tokens_per_second;
  const share = texts.plan.share(plan.gpu_activation_share);
  return (
    <div
      class={`plan-board${isStale ? " stale" : ""}${isCoarse ? " coarse" : ""}`}
      aria-busy={isStale || isCoarse}
    >
      <section class="controls" aria-label={texts.plan.controls}>
        {props.before}
        <Controls {...props} />
      </section>
      <section class="speed" aria-label={texts.plan.predicted}>
        <p class="number">
          <output>{texts.plan.figure(speed)}</output> <span>{texts.plan.unit}</span>
        </p>
        <p class="hint">{texts.plan.together(parallel, speed)}</p>
        <p class="hint">
          {plans.card === null ? texts.plan.noCard : texts.plan.activations(share)}
        </p>
        {props.children}
      </section>
      <PlacementFigure
        layers={placedLayers(plans, plan)}
        summary={texts.plan.summary(plan, plans.layers.units.length)}
      />
      {plans.card !== null && (
        <section class="bring" aria-label={texts.plan.curve}>
          <CurveFigure plans={plans} at={plan} onBudget={props.onBudget} />
          <FurtherTable plan={plan} />
        </section>
      )}
      <MemoryBars plan={plan} unit={plans.layers.unit.at(-1) ?? "neuron"} />
      <ul class="plan-notes">
        {plan.notes.map((note) => (
          <li key={note}>{note}</li>
        ))}
      </ul>
    </div>
  );
}

function Controls(props: BoardProps): VNode {
  const { plans, machines, machine, context, budget, isCoarse = false } = props;
  const { contexts, card } = plans;
  const at = plans.plans[budget];
  return (
    <>
      <label class="control">
        <span>{texts.plan.machine}</span>
        <select
          value={machine}
          onChange={({ currentTarget }) => props.onMachine(currentTarget.value)}
        >
          {machines.map((one) => (
            <option key={one.name} value={one.name}>
              {texts.plan.machineName(one)}
            </option>
          ))}
        </select>
      </label>
      <SliderField
        label={texts.plan.budget}
        note={isCoarse ? texts.plan.finer : undefined}
        value={budget}
        count={plans.plans.length}
        text={card === null ? texts.plan.noBudget : texts.plan.bytes(at?.budget_bytes ?? 0)}
        onValue={props.onBudget}
      />
      <SliderField
        label={texts.plan.context}
        value={Math.max(0, contexts.indexOf(context))}
        count={contexts.length}
        text={texts.plan.tokens(context)}
        onValue={(place) => props.onContext(contexts[place] ?? context)}
      />
    </>
  );
}
