/** From a model, its options and a machine to the way that its longer prompts take through split layers. */
import { rowBytes } from "../core/dtype.ts";
import { blockOf } from "../model/weights.ts";
import type { StackedWeight, Weight } from "../ops/op.ts";
import type { HardwareProfile } from "../placement/hardware.ts";
import { cpuDevice, gpuDevice, type Plan, type PlanLayer } from "../placement/plan.ts";
import { type PromptQuestion, type PromptRule, promptRule } from "../placement/prompt-path.ts";
import type { Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { assumedActivity } from "./assumed-activity.ts";
import type { SparseSetup } from "./resolve-sparsity.ts";

/** Prompts are at least so long. */
const shortestPrompt = 2;

/** Whether a plan leaves room on the card for what streams to it: as if half of each layer were cold, which no plan has decided yet. */
export function mayStream(setup: SparseSetup, hardware: HardwareProfile): boolean {
  const { promptStream = "auto", batchSize } = setup.options;
  if (promptStream !== "auto") return promptStream === "always" && batchSize >= shortestPrompt;
  const question = questionOf(setup, hardware);
  if (question === undefined || hardware.gpu === null) return false;
  const layers = [halfHot(question.unit)];
  return promptRule({ ...question, layers })?.path === "stream";
}

/** The rule of such a plan: from how many rows it streams; undefined where it does not pay. */
export function streamsFrom(
  setup: SparseSetup,
  hardware: HardwareProfile,
  { layers }: Pick<Plan, "layers">,
): number | undefined {
  if (setup.options.promptStream === "always") return shortestPrompt;
  const rule = ruleOf(setup, hardware, layers);
  return rule?.path === "stream" ? rule.fromRows : undefined;
}

/** What a model is opened with. `hardware`: undefined where a plan was named, and the machine is unknown. */
export function promptRuleOf(
  setup: SparseSetup,
  plan: Plan,
  hardware: HardwareProfile | undefined,
): PromptRule | undefined {
  const { streamPromptsFrom: fromRows } = plan;
  if (fromRows !== undefined) return { path: "stream", fromRows };
  const rule = hardware && ruleOf(setup, hardware, plan.layers);
  // Without room for a window, what is next best.
  return rule?.path === "stream" ? undefined : rule;
}

function ruleOf(
  setup: SparseSetup,
  hardware: HardwareProfile,
  layers: readonly PlanLayer[],
): PromptRule | undefined {
  const question = questionOf(setup, hardware);
  if (question === undefined) return undefined;
  const own = layers.filter(({ unit }) => unit === question.unit);
  return promptRule({ ...question, layers: own });
}

type UnitQuestion = Omit<PromptQuestion, "layers"> & Pick<PlanLayer, "unit">;

/** Of the model's experts, where it has any, else of its first block. */
function questionOf(
  { model, options, sparsity, sidecar }: SparseSetup,
  hardware: HardwareProfile,
): UnitQuestion | undefined {
  const shared = { hardware, maxRows: options.batchSize };
  for (const { ffn } of model.layers) {
    if (ffn.kind !== "mixture") continue;
    const { gate, up, down, count } = ffn.stack;
    const matrices = [gate, up, down].filter((matrix) => matrix !== undefined);
    const used = model.hyperparameters.mixture?.used ?? count;
    const size = sizeOf(matrices);
    return { ...shared, ...size, unit: "expert", usedShare: used / count, type: up.weight.type };
  }
  const [layer] = model.layers;
  const block = layer && blockOf(layer);
  if (block === undefined) return undefined;
  const { dim } = model.hyperparameters;
  const { weight } = block.up;
  // Gate and down are of its size, however they lie.
  const matrices = Array.from({ length: block.gate === undefined ? 2 : 3 }, () => weight);
  const size = sizeOf(matrices.map((matrix) => ({ weight: { ...matrix, columns: dim }, rows: 1 })));
  const activeShare = sparsity.method === "dense" ? 1 : activeShareOf(sidecar);
  return { ...shared, ...size, unit: "neuron", usedShare: 1, activeShare, type: weight.type };
}

/** Of all neurons of the model, as counted. */
function activeShareOf(sidecar: Sidecar | undefined): number {
  const { counts = [], tokens = 0 } = sidecar?.profile ?? {};
  const neurons = counts.reduce((sum, layer) => sum + layer.length, 0);
  if (tokens === 0 || neurons === 0) return assumedActivity;
  const active = counts.reduce((sum, layer) => layer.reduce((all, count) => all + count, sum), 0);
  return active / (tokens * neurons);
}

/** Of one unit with so many rows of each matrix. */
function sizeOf(
  matrices: readonly (Pick<StackedWeight, "rows"> & { readonly weight: Weight })[],
): Pick<PromptQuestion, "weightsPerUnit" | "bytesPerUnit"> {
  return {
    weightsPerUnit: matrices.reduce((sum, { rows, weight }) => sum + rows * weight.columns, 0),
    bytesPerUnit: matrices.reduce(
      (sum, { rows, weight }) => sum + rows * rowBytes(weight.type, weight.columns),
      0,
    ),
  };
}

function halfHot(unit: PlanLayer["unit"]): PlanLayer {
  const parts = [gpuDevice, cpuDevice].map((device, i) => ({ device, units: Uint32Array.of(i) }));
  return { unit, unitCount: 2, attentionDevice: gpuDevice, parts };
}
