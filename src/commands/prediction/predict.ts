/**
 * How fast a model will run on this machine and what memory it takes, before it is loaded: from the bytes and products that
 * are counted in its header and what was measured of the machine. Loads no weight.
 */
import { adapterRule, threadsRule } from "../../backends/machine-rules.ts";
import { findAdapter } from "../../backends/webgpu/adapter.ts";
import {
  type AdapterDescription,
  bindingLimits,
} from "../../backends/webgpu/adapter-description.ts";
import type { BindingLimits } from "../../backends/webgpu/recording-buffers.ts";
import { checkOptions, choiceRule, type OptionRules } from "../../core/check-options.ts";
import { defined } from "../../core/defined.ts";
import { HearthError } from "../../core/errors.ts";
import { type Bytes, formatBytes } from "../../core/units.ts";
import { type Transpose, transposedShape } from "../../derived-weights/transpose.ts";
import {
  keptProfile,
  type MeasureOptions,
  machineProfile,
  openHardware,
} from "../../devices/hardware/measure-machine.ts";
import { measuredRows } from "../../devices/hardware/row-speeds.ts";
import { cardBudget } from "../../engine/card-budget.ts";
import { openSetup, withSidecar } from "../../engine/model-setup.ts";
import { neededMemory } from "../../engine/needed-memory.ts";
import { engineRules } from "../../engine/option-rules.ts";
import type { EngineOptions } from "../../engine/options.ts";
import { planModel } from "../../engine/planner.ts";
import { programOf } from "../../engine/program-of.ts";
import { planWithBatch } from "../../engine/prompt-batch.ts";
import { denseSparsity, resolveSparsity, type SparseSetup } from "../../engine/resolve-sparsity.ts";
import { tokenOverhead } from "../../engine/token-overhead.ts";
import { memoryOfProcess } from "../../io/cgroup.ts";
import type { HardwareProfile } from "../../placement/hardware.ts";
import { gpuDevice, type Plan } from "../../placement/plan.ts";
import type { MethodName } from "../../sparsity/method-names.ts";
import { type CpuTask, decodeSeconds, type MeasuredHere, promptSpeed } from "./cpu-seconds.ts";
import { bytesOfProducts, countProducts, type ProductCount } from "./product-counts.ts";

export interface PredictOptions
  extends Pick<
    EngineOptions,
    "contextLength" | "threads" | "gpu" | "hardware" | "sparsity" | "sidecar"
  > {
  /** What to do where this machine was not measured yet: some seconds, once, or no prediction. Default "measure". */
  readonly unmeasured?: "measure" | "give up";
}

export interface Prediction {
  /** The machine that it is for. */
  readonly machine: string;
  readonly memory: PredictedMemory;
  /** The first is what hearth picks by itself; then the others, as far as they differ from it. */
  readonly ways: readonly PredictedWay[];
  /** Why the first is picked, in a sentence. */
  readonly reason: string;
}

export interface PredictedMemory {
  /** Weights, the cache of one sequence of the whole context, and the buffers of a step. */
  readonly neededBytes: Bytes;
  /** What this process may have at most; undefined for a described machine. */
  readonly availableBytes: Bytes | undefined;
  /** What is placed on a card, with everything that it allocates, and what it gives; absent where none is used. */
  readonly gpu?: { readonly placedBytes: Bytes; readonly budgetBytes: Bytes };
}

/** One way to run the model. */
export interface PredictedWay {
  readonly device: "cpu" | "gpu" | "hybrid";
  readonly sparsity: MethodName;
  /** One answer, at the beginning of a context. */
  readonly decodeTokensPerSecond: number;
  /** A prompt of 128 tokens; undefined where nothing is known of it. */
  readonly promptTokensPerSecond: number | undefined;
  /** Of weights, read for each token; undefined where a card reads some of them. */
  readonly bytesPerToken: Bytes | undefined;
}

const predictRules: OptionRules<PredictOptions> = {
  contextLength: engineRules.contextLength,
  threads: threadsRule,
  gpu: adapterRule,
  hardware: engineRules.hardware,
  sparsity: engineRules.sparsity,
  sidecar: engineRules.sidecar,
  unmeasured: choiceRule(["measure", "give up"]),
};

/**
 * Undefined where this machine was not measured and is not to be now. @throws OptionError, FileFormatError, UnsupportedError
 * for a model that does not run, DeviceError without the native addon.
 */
export async function predictSpeed(
  path: string,
  options: PredictOptions = {},
): Promise<Prediction | undefined> {
  checkOptions(options, predictRules, "predict");
  const { unmeasured = "measure", ...engineOptions } = options;
  const { hardware: named, threads, gpu } = engineOptions;
  const hardware = await hardwareFor(named, defined({ gpu, threads }), unmeasured);
  if (hardware === undefined) return undefined;
  const setup = withSidecar(await openSetup(path, engineOptions, "per sequence"));
  const sparsity = await resolveSparsity(setup, shapeOnly, "map");
  const ready: SparseSetup = { ...setup, sparsity };
  const isHere = named === undefined;
  const cpuWays = await waysOnCpu(ready, hardware, isHere ? "measure" : "as described");
  const card = cardOf(hardware, isHere ? await findAdapter(gpu, "hardware") : undefined);
  const planned = card && (await wayWithCard(ready, hardware, card));
  const memory = {
    neededBytes: neededMemory(ready),
    availableBytes: isHere ? memoryOfProcess() : undefined,
  };
  if (planned === undefined) {
    const reason = reasonOf(ready, hardware);
    return { machine: hardware.name, memory, ways: cpuWays, reason };
  }
  const { way, ...gpuMemory } = planned;
  const { placedBytes, budgetBytes } = gpuMemory;
  const share = `${formatBytes(placedBytes)} of the ${formatBytes(budgetBytes)} that the card gives`;
  return {
    machine: hardware.name,
    memory: { ...memory, gpu: gpuMemory },
    ways: [way, ...cpuWays],
    reason: way.device === "gpu" ? `all of it takes ${share}` : `what fires most takes ${share}`,
  };
}

async function hardwareFor(
  named: string | undefined,
  machine: MeasureOptions,
  unmeasured: "measure" | "give up",
): Promise<HardwareProfile | undefined> {
  if (named !== undefined) return openHardware(named);
  return unmeasured === "measure" ? machineProfile(machine) : keptProfile(machine);
}

/** No weight is loaded: bytes follow from the shapes. */
const shapeOnly: Transpose = async (weight, type) => transposedShape(weight, type);

/** What sparsity auto takes, then dense where that is another. */
async function waysOnCpu(
  setup: SparseSetup,
  hardware: HardwareProfile,
  arithmetic: "measure" | "as described",
): Promise<readonly PredictedWay[]> {
  const dense = { ...setup, sparsity: denseSparsity };
  const setups = setup.sparsity.method === "dense" ? [dense] : [setup, dense];
  const counted = setups.map((one) => ({
    one,
    counts: countProducts(programOf(one, { output: "logits" }).program, activeShare(one)),
  }));
  const shapes = counted.flatMap(({ counts }) => counts);
  const { threads } = setup.options;
  const rows = arithmetic === "measure" ? await measuredRows(shapes, threads) : undefined;
  const ways: PredictedWay[] = [];
  for (const { one, counts } of counted) {
    const here = rows && { rows, overheadSeconds: await tokenOverhead(one, threads) };
    ways.push(cpuWay(one, counts, { hardware, here }));
  }
  return ways;
}

function cpuWay(
  { model, sparsity }: SparseSetup,
  counts: readonly ProductCount[],
  on: { readonly hardware: HardwareProfile; readonly here: MeasuredHere | undefined },
): PredictedWay {
  const { hardware, here } = on;
  const task: CpuTask = { cpu: hardware.cpu, layers: model.layers.length, counts, here };
  return {
    device: "cpu",
    sparsity: sparsity.method,
    decodeTokensPerSecond: 1 / decodeSeconds(task),
    promptTokensPerSecond: promptSpeed(task),
    bytesPerToken: bytesOfProducts(counts),
  };
}

/** Of neurons that nothing was counted of: PowerInfer (2312.12456, §2.2) finds about a tenth. */
const assumedActivity = 0.1;

function activeShare({ sidecar }: SparseSetup): (layer: number) => number {
  const profile = sidecar?.profile;
  return (layer) => {
    const counts = profile?.counts[layer];
    if (profile === undefined || counts === undefined || profile.tokens === 0) {
      return assumedActivity;
    }
    return counts.reduce((sum, count) => sum + count, 0) / (profile.tokens * counts.length);
  };
}

interface Card {
  readonly limits: BindingLimits;
  readonly budgetBytes: Bytes;
}

/** What may be placed on: undefined without a card, and for one whose memory is unknown or that has a twin. */
function cardOf(
  { gpu }: HardwareProfile,
  adapter: AdapterDescription | undefined,
): Card | undefined {
  if (gpu === null) return undefined;
  if (adapter === undefined) {
    const memory = { name: gpu.name, memory: gpu.memoryBytes };
    return { limits: noLimits, budgetBytes: cardBudget(memory, undefined) };
  }
  if (adapter.memory === undefined || adapter.cards > 1) return undefined;
  return { limits: bindingLimits(adapter), budgetBytes: cardBudget(adapter, undefined) };
}

/** Of a described card: bytes do not depend on limits, save for a few when weights are cut into pieces. */
const noLimits: BindingLimits = {
  maxBinding: Number.MAX_SAFE_INTEGER,
  maxBuffer: Number.MAX_SAFE_INTEGER,
};

interface PlannedWay {
  readonly way: PredictedWay;
  readonly placedBytes: Bytes;
  readonly budgetBytes: Bytes;
}

/** As the planner places the model; undefined for one that a card cannot run, or that is to stay on the processor. */
async function wayWithCard(
  setup: SparseSetup,
  hardware: HardwareProfile,
  { limits, budgetBytes }: Card,
): Promise<PlannedWay | undefined> {
  const request = { hardware, limits, budgetBytes, solver: "exact", curvePoints: 0 } as const;
  try {
    const plan = await planWithBatch(setup, hardware, (own) =>
      planModel(own, { ...request, furtherGibibytes: 0 }),
    );
    if (plan.gpuBytes === 0) return undefined;
    const way: PredictedWay = {
      device: isAllOnCard(plan) ? "gpu" : "hybrid",
      sparsity: setup.sparsity.method,
      decodeTokensPerSecond: plan.predictedTokensPerSecond,
      promptTokensPerSecond: undefined,
      bytesPerToken: undefined,
    };
    return { way, placedBytes: plan.gpuBytes, budgetBytes };
  } catch (error) {
    if (error instanceof HearthError) return undefined;
    throw error;
  }
}

function isAllOnCard({ layers, outputDevice }: Plan): boolean {
  const devices = layers.flatMap(({ attentionDevice, parts }) => [
    attentionDevice,
    ...parts.map(({ device }) => device),
  ]);
  return [...devices, outputDevice].every((device) => device === gpuDevice);
}

/** Of a model that no card is used for. */
function reasonOf({ sparsity }: SparseSetup, hardware: HardwareProfile): string {
  const where =
    hardware.gpu === null ? "no graphics card" : `${hardware.gpu.name} cannot be used for it`;
  return [where, ...sparsity.details.slice(0, 1)].join("; ");
}
