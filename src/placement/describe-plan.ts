/** A plan in words and a table, for the terminal. */
import { significant } from "../core/numbers.ts";
import { formatBytes } from "../core/units.ts";
import { gpuDevice, type Plan, type PlanLayer } from "./plan.ts";

/** Several lines, ending in a newline. Runs of equal layers are one row. */
export function describePlan(plan: Plan): string {
  const proven = plan.gap === 0 ? "proven optimal" : `gap ${(100 * plan.gap).toFixed(2)} %`;
  const objective = plan.inputs.objective === "latency" ? "latency" : "paper";
  return [
    `Placement within ${formatBytes(plan.inputs.budgetBytes)} of GPU memory, on ${plan.hardwareName}`,
    `  predicted        ${significant(plan.predictedTokensPerSecond, 4)} tokens/s`,
    `  activations      ${(100 * plan.gpuActivationShare).toFixed(1)} % served by the GPU`,
    `  memory           GPU ${formatBytes(plan.gpuBytes)}, CPU ${formatBytes(plan.cpuBytes)}`,
    `  objective        ${objective} ${plan.objective.toPrecision(6)}, bound ${plan.bound.toPrecision(6)}, ${proven} in ${plan.solveMs.toFixed(0)} ms`,
    ...streamLine(plan),
    "",
    ...memoryTable(plan),
    "",
    ...layerTable(plan.layers),
    ...furtherTable(plan),
    ...plan.notices.map((notice) => `Note: ${notice}`),
    "",
  ].join("\n");
}

function streamLine({ streamPromptsFrom, promptBatch }: Plan): readonly string[] {
  if (streamPromptsFrom === undefined) return [];
  const steps = promptBatch === undefined ? "" : `, in steps of up to ${promptBatch}`;
  return [
    `  prompts          cold weights come to the GPU from ${streamPromptsFrom} tokens on${steps}`,
  ];
}

/** Neurons or experts of a layer that are on a GPU. */
export function hotUnits(layer: PlanLayer): number {
  return layer.parts.reduce(
    (sum, { device, units }) => sum + (device === "cpu" ? 0 : units.length),
    0,
  );
}

function memoryTable(plan: Plan): readonly string[] {
  return Object.entries(plan.memory).map(([device, items]) => {
    const parts = Object.entries(items).map(([item, bytes]) => `${item} ${formatBytes(bytes)}`);
    return `  ${device.padEnd(6)} ${parts.join(", ") || "nothing"}`;
  });
}

function layerTable(layers: readonly PlanLayer[]): readonly string[] {
  const isPredicted = layers.some(({ predictorDevice }) => predictorDevice !== undefined);
  const predictor = isPredicted ? "   predictor" : "";
  const units = layers.some(({ unit }) => unit === "expert") ? "   of" : "";
  const rows = [`  layers      attention      hot     cold   hot share${predictor}${units}`];
  const lineOf = (layer: PlanLayer): string =>
    units === "" ? rowOf(layer) : `${rowOf(layer)}   ${layer.unit}s`;
  let first = 0;
  for (const [index, layer] of layers.entries()) {
    const next = layers[index + 1];
    if (next !== undefined && lineOf(next) === lineOf(layer)) continue;
    const range = first === index ? `${index}` : `${first}-${index}`;
    rows.push(`  ${range.padEnd(10)} ${lineOf(layer)}`);
    first = index + 1;
  }
  return rows;
}

function rowOf(layer: PlanLayer): string {
  const hot = hotUnits(layer);
  const share = layer.unitCount === 0 ? 0 : (100 * hot) / layer.unitCount;
  const cold = layer.unitCount - hot;
  const device = layer.attentionDevice === gpuDevice ? "GPU" : "CPU";
  const predictor = layer.predictorDevice === undefined ? "" : "   GPU";
  return ` ${device.padEnd(9)} ${String(hot).padStart(8)} ${String(cold).padStart(8)} ${share.toFixed(1).padStart(9)} %${predictor}`;
}

function furtherTable(plan: Plan): readonly string[] {
  if (plan.further.length === 0) return [""];
  let before = plan.predictedTokensPerSecond;
  const rows = plan.further.map(({ budgetBytes, predictedTokensPerSecond }) => {
    const gain = predictedTokensPerSecond - before;
    before = predictedTokensPerSecond;
    return `  ${formatBytes(budgetBytes).padEnd(10)} ${significant(predictedTokensPerSecond, 4)} tokens/s (+${significant(gain, 3)})`;
  });
  return ["", "What each further GiB would bring:", ...rows, ""];
}
