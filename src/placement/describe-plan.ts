/** A plan in words and a table, for the terminal. */
import { significant } from "../core/numbers.ts";
import { formatBytes, type Neurons } from "../core/units.ts";
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
    "",
    ...memoryTable(plan),
    "",
    ...layerTable(plan.layers),
    ...furtherTable(plan),
    ...plan.notices.map((notice) => `Note: ${notice}`),
    "",
  ].join("\n");
}

/** Neurons of a layer that are on a GPU. */
export function hotNeurons(layer: PlanLayer): Neurons {
  return layer.parts.reduce(
    (sum, { device, neurons }) => sum + (device === "cpu" ? 0 : neurons.length),
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
  const rows = [`  layers      attention      hot     cold   hot share${predictor}`];
  let first = 0;
  for (const [index, layer] of layers.entries()) {
    const next = layers[index + 1];
    if (next !== undefined && rowOf(next) === rowOf(layer)) continue;
    const range = first === index ? `${index}` : `${first}-${index}`;
    rows.push(`  ${range.padEnd(10)} ${rowOf(layer)}`);
    first = index + 1;
  }
  return rows;
}

function rowOf(layer: PlanLayer): string {
  const hot = hotNeurons(layer);
  const share = layer.neuronCount === 0 ? 0 : (100 * hot) / layer.neuronCount;
  const cold = layer.neuronCount - hot;
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
