/** What a solver answers, and the seconds that a selection is predicted to take. */
import type { Bytes } from "../core/units.ts";
import type { LayerProblem } from "./layer-problem.ts";
import type { PlacementProblem } from "./problem.ts";

/**
 * Which layers and which of their groups are on the GPU.
 * Layers from `firstGpuLayer` on have attention and KV cache there; those before are on the CPU as a whole, so a
 * token crosses to the GPU once. `firstGpuLayer` = number of layers: none.
 */
export interface PlacementChoice {
  readonly firstGpuLayer: number;
  readonly outputOnGpu: boolean;
  /** Per layer: 0 for layers before `firstGpuLayer`. */
  readonly hotGroups: readonly number[];
  /** Per layer: the GPU predicts for the cold neurons too. Absent: in none. */
  readonly predictsOnGpu?: readonly boolean[];
}

/** One way to place a layer whose attention is on the GPU. */
interface LayerChoice {
  readonly hotGroups: number;
  readonly predictsOnGpu: boolean;
  readonly bytes: Bytes;
  readonly seconds: number;
}

/** Choices of a layer are numbered: first by hot groups, each device predicting for its own; then those where the GPU predicts. */
export function choiceCount({ hotBytes, predicting }: LayerProblem): number {
  return hotBytes.length + (predicting?.hotBytes.length ?? 0);
}

export function choiceOf(layer: LayerProblem, choice: number): LayerChoice {
  const { hotBytes, ffnSeconds, predicting } = layer;
  const predictsOnGpu = choice >= hotBytes.length;
  const hotGroups = predictsOnGpu ? choice - hotBytes.length : choice;
  const costs = predictsOnGpu ? predicting : { hotBytes, ffnSeconds };
  return {
    hotGroups,
    predictsOnGpu,
    bytes: costs?.hotBytes[hotGroups] ?? 0,
    seconds: costs?.ffnSeconds[hotGroups] ?? 0,
  };
}

export function placedChoices(
  layers: readonly LayerProblem[],
  choices: readonly number[],
): Required<Pick<PlacementChoice, "hotGroups" | "predictsOnGpu">> {
  const placed = layers.map((layer, index) => choiceOf(layer, choices[index] ?? 0));
  return {
    hotGroups: placed.map(({ hotGroups }) => hotGroups),
    predictsOnGpu: placed.map(({ predictsOnGpu }) => predictsOnGpu),
  };
}

/** The choice of a layer in a selection. */
function placed(layer: LayerProblem, selection: PlacementChoice, index: number): LayerChoice {
  const hotGroups = selection.hotGroups[index] ?? 0;
  const isPredicting = selection.predictsOnGpu?.[index] ?? false;
  return choiceOf(layer, hotGroups + (isPredicting ? layer.hotBytes.length : 0));
}

export interface Solution extends PlacementChoice {
  readonly budgetBytes: Bytes;
  /** `latency`: seconds per step, least is best. `paper`: sum of the frequencies of hot neurons, most is best. */
  readonly objective: number;
  /** No selection does better than this. */
  readonly bound: number;
  /** |objective - bound| / |objective|: 0 when the optimum is proven. */
  readonly gap: number;
  readonly solveMs: number;
  readonly secondsPerStep: number;
  readonly gpuBytes: Bytes;
}

/** Bytes, seconds and cost of all that is not a choice of hot groups. */
export interface Configuration {
  readonly firstGpuLayer: number;
  readonly outputOnGpu: boolean;
  readonly bytes: Bytes;
  readonly seconds: number;
}

/** Every suffix of layers on the GPU, with and without the output; the first is the CPU alone. */
export function configurations(problem: PlacementProblem): readonly Configuration[] {
  const { layers, output, crossing } = problem;
  const found: Configuration[] = [];
  const cpuSeconds = layers.reduce((sum, layer) => sum + layer.cpuSeconds, 0);
  found.push({
    firstGpuLayer: layers.length,
    outputOnGpu: false,
    bytes: 0,
    seconds: cpuSeconds + output.cpuSeconds,
  });
  if (!problem.hasGpu || problem.budgetBytes === 0) return found;
  let bytes = problem.scratchBytes;
  let seconds = cpuSeconds + crossing.enterSeconds;
  for (let first = layers.length; first >= 0; first--) {
    const layer = layers[first];
    bytes += layer?.residentBytes ?? 0;
    seconds += (layer?.residentSeconds ?? 0) - (layer?.cpuSeconds ?? 0);
    const withOutput = seconds + output.gpuSeconds + crossing.leaveLogitsSeconds;
    found.push({
      firstGpuLayer: first,
      outputOnGpu: true,
      bytes: bytes + output.gpuBytes,
      seconds: withOutput,
    });
    if (first === layers.length) continue;
    const withoutOutput = seconds + output.cpuSeconds + crossing.leaveHiddenSeconds;
    found.push({ firstGpuLayer: first, outputOnGpu: false, bytes, seconds: withoutOutput });
  }
  return found;
}

/** Seconds per step of a selection: the same sum whichever solver made it. */
export function predictedSeconds(problem: PlacementProblem, selection: PlacementChoice): number {
  const { layers, output, crossing } = problem;
  const usesGpu = selection.outputOnGpu || selection.firstGpuLayer < layers.length;
  const layerSeconds = layers.reduce((sum, layer, index) => {
    if (index < selection.firstGpuLayer) return sum + layer.cpuSeconds;
    return sum + layer.residentSeconds + placed(layer, selection, index).seconds;
  }, 0);
  const outputSeconds = selection.outputOnGpu ? output.gpuSeconds : output.cpuSeconds;
  if (!usesGpu) return layerSeconds + outputSeconds;
  const leave = selection.outputOnGpu ? crossing.leaveLogitsSeconds : crossing.leaveHiddenSeconds;
  return layerSeconds + outputSeconds + crossing.enterSeconds + leave;
}

/** GPU bytes of a selection, as they will be allocated. */
export function selectionBytes(problem: PlacementProblem, selection: PlacementChoice): Bytes {
  const { layers, output } = problem;
  const usesGpu = selection.outputOnGpu || selection.firstGpuLayer < layers.length;
  const layerBytes = layers.reduce((sum, layer, index) => {
    if (index < selection.firstGpuLayer) return sum;
    return sum + layer.residentBytes + placed(layer, selection, index).bytes;
  }, 0);
  return (
    layerBytes +
    (usesGpu ? problem.scratchBytes : 0) +
    (selection.outputOnGpu ? output.gpuBytes : 0)
  );
}

/** The objective's value of a selection, in its own direction. */
export function objectiveValue(problem: PlacementProblem, selection: PlacementChoice): number {
  if (problem.objective === "latency") return predictedSeconds(problem, selection);
  return problem.layers.reduce(
    (sum, layer, index) => sum + (layer.hotMass[selection.hotGroups[index] ?? 0] ?? 0),
    0,
  );
}

/** A selection with everything that is said about it. `bound` is in the objective's own direction. */
export function solutionOf(
  problem: PlacementProblem,
  selection: PlacementChoice,
  found: { readonly bound: number; readonly budgetBytes: Bytes; readonly solveMs: number },
): Solution {
  const objective = objectiveValue(problem, selection);
  const difference = Math.abs(objective - found.bound);
  return {
    ...selection,
    ...found,
    objective,
    gap: difference === 0 ? 0 : difference / Math.abs(objective),
    secondsPerStep: predictedSeconds(problem, selection),
    gpuBytes: selectionBytes(problem, selection),
  };
}

/**
 * The solution, or everything on the GPU where that fits the budget and is better: a solver adds up parts with the
 * scratch of any placement, so it misses that everything may take less.
 */
export function orEverything(problem: PlacementProblem, solution: Solution): Solution {
  const { layers, everythingBytes } = problem;
  const { budgetBytes, solveMs, bound, gap } = solution;
  if (!problem.hasGpu || budgetBytes === 0 || everythingBytes > budgetBytes) return solution;
  const selection: PlacementChoice = {
    firstGpuLayer: 0,
    outputOnGpu: true,
    hotGroups: layers.map(({ hotBytes }) => hotBytes.length - 1),
  };
  const value = objectiveValue(problem, selection);
  const isProven = gap === 0 || problem.objective === "paper";
  const best = isProven ? value : Math.min(bound, value);
  const everything = solutionOf(problem, selection, { bound: best, budgetBytes, solveMs });
  return isBetter(problem, everything, solution)
    ? { ...everything, gpuBytes: everythingBytes }
    : solution;
}

/** Of two placements with the same activations on the GPU the faster is better. */
function isBetter({ objective }: PlacementProblem, a: Solution, b: Solution): boolean {
  if (objective === "paper" && a.objective !== b.objective) return a.objective > b.objective;
  return a.secondsPerStep < b.secondsPerStep;
}

/**
 * The configurations that an objective may use within a budget: all that fit for `latency`; for `paper`, which counts
 * neurons alone, in PowerInfer's order: attention of all layers that fit, then the output if it fits.
 */
export function eligibleConfigurations(
  problem: PlacementProblem,
  all: readonly Configuration[],
  budgetBytes: Bytes,
): readonly Configuration[] {
  const fitting = all.filter((configuration) => configuration.bytes <= budgetBytes);
  if (problem.objective === "latency") return fitting;
  const most = fitting.reduce((best, candidate) =>
    rank(candidate) > rank(best) ? candidate : best,
  );
  return [most];
}

function rank(configuration: Configuration): number {
  return -2 * configuration.firstGpuLayer + (configuration.outputOnGpu ? 1 : 0);
}
