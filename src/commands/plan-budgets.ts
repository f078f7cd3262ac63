/**
 * What each budget of a card brings: one plan for each of some dozens of budgets, for one machine and one context, small
 * enough to be drawn by a page. docs/formats/budget-plans.md
 */
import { checkOptions, countRule, type OptionRules } from "../core/check-options.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import { cardBudget } from "../engine/card-budget.ts";
import { type PlannedBudgets, planBudgetsOf } from "../engine/planner.ts";
import { budgetGrid, contextGrid, mostSteps } from "../placement/budget-grid.ts";
import { hotUnits } from "../placement/describe-plan.ts";
import type { PlaceableLayer, PlaceableTensor } from "../placement/placeable-model.ts";
import { cpuDevice, type Plan } from "../placement/plan.ts";
import { pointJson } from "../placement/plan-json.ts";
import {
  furtherGibibytes,
  openPlanning,
  type PlacementOptions,
  type PlanningMachine,
  placementRules,
  readyToPlan,
  thisMachine,
} from "./plan.ts";

/** `vramBudget`: one budget more, and the one that is meant. */
export type BudgetPlansOptions = Omit<PlacementOptions, "solver" | "curvePoints" | "refresh"> & {
  /** At most so many steps, 1 to 48, of the card's memory: each takes its time. Default 48. */
  readonly budgetSteps?: number;
};

export interface BudgetPlans {
  /** With the fields that docs/formats/budget-plans.md lists. */
  readonly json: object;
  /** Contexts, rising, of which the same could be asked: up to what the model was trained for, and the one that was asked. */
  readonly contexts: readonly Tokens[];
}

/** @throws as planPlacement */
export async function planBudgets(
  path: string,
  options: BudgetPlansOptions = {},
): Promise<BudgetPlans> {
  return planBudgetsOn(thisMachine, path, options);
}

const { solver: _, curvePoints: __, refresh: ___, ...rules } = placementRules;
const budgetRules: OptionRules<BudgetPlansOptions> = {
  ...rules,
  budgetSteps: countRule(1, mostSteps),
};

/** As planBudgets, where the machine is another. */
async function planBudgetsOn(
  machine: PlanningMachine,
  path: string,
  options: BudgetPlansOptions,
): Promise<BudgetPlans> {
  checkOptions(options, budgetRules, "plan");
  const { budgetSteps: steps = mostSteps, ...placing } = options;
  const task = await openPlanning(machine, path, placing);
  const { hardware, limits, setup } = task;
  const { gpu } = hardware;
  const { vramBudget, contextLength } = setup.options;
  const usual = gpu === null ? 0 : cardBudget(memoryOf(gpu), undefined);
  const wanted = gpu === null ? 0 : cardBudget(memoryOf(gpu), vramBudget);
  task.requireCache(wanted);
  const ready = await readyToPlan(setup, false);
  const memory = gpu?.memoryBytes ?? 0;
  const request = {
    hardware,
    limits,
    budgetBytes: memory,
    solver: "exact",
    furtherGibibytes,
  } as const;
  const planned = await planBudgetsOf(ready, request, (everything) =>
    budgetGrid(memory, everything, { wanted: [usual, wanted], steps }),
  );
  const trained = setup.model.hyperparameters.contextLength;
  const contexts = contextGrid(trained, [contextLength]);
  return {
    contexts,
    json: {
      version: 1,
      ...inputsJson(planned.plans),
      hardware_name: hardware.name,
      hardware_origin: hardware.origin,
      processor: hardware.cpu.name,
      card: gpu && { name: gpu.name, memory_bytes: gpu.memoryBytes },
      contexts,
      wanted_budget_bytes: wanted,
      layers: layersJson(planned),
      plans: planned.plans.map((plan) =>
        planJson({ ...plan, notices: [...plan.notices, ...task.noticesOf(plan)] }),
      ),
    },
  };
}

function memoryOf({ name, memoryBytes }: { readonly name: string; readonly memoryBytes: Bytes }) {
  return { name, memory: memoryBytes };
}

/** What all of them were made from, as `inputs` of a plan has it. */
function inputsJson([first]: readonly Plan[]): object {
  if (first === undefined) return {};
  const { model, profile, hardware, context, method, objective } = first.inputs;
  return { inputs: { model, profile, hardware, context, method, objective, solver: "exact" } };
}

/** By layer: how many neurons or experts it has, and what its parts take on a card. */
function layersJson({ model }: PlannedBudgets): object {
  const of = (bytes: (layer: PlaceableLayer) => number): readonly number[] =>
    model.layers.map((layer) => Math.round(bytes(layer)));
  return {
    unit: model.layers.map(({ ffn }) => ffn.unit),
    units: of(({ ffn }) => ffn.unitCount),
    attention_bytes: of(({ attention }) => sum(attention)),
    kv_cache_bytes: of(({ kvCache }) => sum(kvCache)),
    ffn_bytes: of(({ ffn }) => ffn.unitCount * sum(ffn.unitTensors)),
  };
}

function sum(tensors: readonly PlaceableTensor[]): Bytes {
  return tensors.reduce((total, { gpu }) => total + gpu.bytes, 0);
}

/** As of `hearth plan --json`, but for what is the same in all of them and the ids of neurons. */
function planJson(plan: Plan): object {
  const { layers } = plan;
  const firstOnCard = layers.findIndex(({ attentionDevice }) => attentionDevice !== cpuDevice);
  const predicting = layers.flatMap(({ predictorDevice }, layer) =>
    predictorDevice === undefined ? [] : [layer],
  );
  return {
    budget_bytes: plan.inputs.budgetBytes,
    gpu_bytes: plan.gpuBytes,
    cpu_bytes: plan.cpuBytes,
    gpu_activation_share: plan.gpuActivationShare,
    predicted_tokens_per_second: plan.predictedTokensPerSecond,
    gap: plan.gap,
    notes: plan.notices,
    memory: plan.memory,
    output_device: plan.outputDevice,
    further: plan.further.map(pointJson),
    first_gpu_layer: firstOnCard < 0 ? layers.length : firstOnCard,
    hot: layers.map(hotUnits),
    predicting,
  };
}
