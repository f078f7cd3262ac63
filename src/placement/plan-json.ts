/**
 * A plan as JSON text and back, checked strictly. Neurons or experts of a part are a range where they are one, else a
 * bitmap in base64 (bit i % 8 of byte i / 8 is unit i): 80 layers of 28 672 neurons stay below 1 MB. docs/formats/plan.md.
 */
import type { Bytes } from "../core/units.ts";
import type { PlacementUnit } from "./placeable-model.ts";
import {
  type BudgetPoint,
  cpuDevice,
  type DeviceId,
  gpuDevice,
  type Plan,
  type PlanInputs,
  type PlanLayer,
  type PlanPart,
  planKey,
} from "./plan.ts";
import type { DeviceMemory } from "./plan-memory.ts";
import { objectives } from "./problem.ts";
import { solvers } from "./solve-placement.ts";
import {
  amountOf,
  arrayFields,
  choiceOf,
  countOf,
  entryFields,
  fieldError,
  type JsonField,
  objectFields,
  parseJson,
  stringOf,
} from "./strict-json.ts";

const devices: readonly DeviceId[] = [gpuDevice, cpuDevice];

export function serialisePlan(plan: Plan): string {
  return `${JSON.stringify(planJson(plan))}\n`;
}

/** The plan as a plain object: what `hearth plan --json` prints. */
export function planJson(plan: Plan): object {
  const { inputs } = plan;
  return {
    version: plan.version,
    key: plan.key,
    inputs: {
      model: inputs.model,
      profile: inputs.profile,
      hardware: inputs.hardware,
      budget_bytes: inputs.budgetBytes,
      context: inputs.context,
      method: inputs.method,
      objective: inputs.objective,
      solver: inputs.solver,
    },
    hardware_name: plan.hardwareName,
    budget_bytes: inputs.budgetBytes,
    gpu_bytes: plan.gpuBytes,
    cpu_bytes: plan.cpuBytes,
    gpu_activation_share: plan.gpuActivationShare,
    predicted_tokens_per_second: plan.predictedTokensPerSecond,
    objective: plan.objective,
    bound: plan.bound,
    gap: plan.gap,
    solve_ms: plan.solveMs,
    notes: plan.notices,
    memory: plan.memory,
    output_device: plan.outputDevice,
    ...(plan.streamPromptsFrom !== undefined && { stream_prompts_from: plan.streamPromptsFrom }),
    ...(plan.promptBatch !== undefined && { prompt_batch: plan.promptBatch }),
    further: plan.further.map(pointJson),
    curve: plan.curve.map(pointJson),
    layers: plan.layers.map(layerJson),
  };
}

/** @throws FileFormatError naming the field and the value found. */
export function parsePlan(text: string, file: string): Plan {
  const root = parseJson(text, file);
  const field = objectFields(root, planKeys);
  if (field("version").value !== 1)
    throw fieldError(field("version"), "1, the version hearth reads");
  const inputs = parseInputs(field("inputs"));
  if (field("key").value !== planKey(inputs)) {
    throw fieldError(
      field("key"),
      `${planKey(inputs)}, which its inputs give; the plan was edited`,
    );
  }
  if (field("budget_bytes").value !== inputs.budgetBytes) {
    throw fieldError(field("budget_bytes"), `${inputs.budgetBytes}, as in inputs`);
  }
  const streamFrom = field("stream_prompts_from");
  const promptBatch = field("prompt_batch");
  return {
    version: 1,
    key: planKey(inputs),
    inputs,
    hardwareName: stringOf(field("hardware_name")),
    layers: arrayFields(field("layers")).map(parseLayer),
    outputDevice: choiceOf(field("output_device"), devices),
    ...(streamFrom.value === undefined ? {} : { streamPromptsFrom: countOf(streamFrom) }),
    ...(promptBatch.value === undefined ? {} : { promptBatch: countOf(promptBatch) }),
    memory: parseMemory(field("memory")),
    gpuBytes: countOf(field("gpu_bytes")),
    cpuBytes: countOf(field("cpu_bytes")),
    gpuActivationShare: amountOf(field("gpu_activation_share")),
    predictedTokensPerSecond: amountOf(field("predicted_tokens_per_second")),
    objective: amountOf(field("objective")),
    bound: amountOf(field("bound")),
    gap: amountOf(field("gap")),
    solveMs: amountOf(field("solve_ms")),
    further: arrayFields(field("further")).map(parsePoint),
    curve: arrayFields(field("curve")).map(parsePoint),
    notices: arrayFields(field("notes")).map(stringOf),
  };
}

const planKeys = [
  "version",
  "key",
  "inputs",
  "hardware_name",
  "budget_bytes",
  "gpu_bytes",
  "cpu_bytes",
  "gpu_activation_share",
  "predicted_tokens_per_second",
  "objective",
  "bound",
  "gap",
  "solve_ms",
  "notes",
  "memory",
  "output_device",
  "stream_prompts_from",
  "prompt_batch",
  "further",
  "curve",
  "layers",
  // Of a text, beside the plan: not read back.
  "stats",
] as const;

export function pointJson(point: BudgetPoint): object {
  return {
    budget_bytes: point.budgetBytes,
    predicted_tokens_per_second: point.predictedTokensPerSecond,
  };
}

function layerJson(layer: PlanLayer): object {
  const cold = layer.parts.find(({ device }) => device === cpuDevice)?.units.length ?? 0;
  return {
    hot: layer.unitCount - cold,
    cold,
    attention_device: layer.attentionDevice,
    ...(layer.predictorDevice !== undefined && { predictor_device: layer.predictorDevice }),
    parts: layer.parts.map(({ device, units }) => ({
      device,
      [idsKey[layer.unit]]: idsJson(units, layer.unitCount),
    })),
  };
}

const idsKey = { neuron: "neurons", expert: "experts" } as const;

function idsJson(ids: Uint32Array, unitCount: number): object {
  const first = ids[0] ?? 0;
  const last = ids[ids.length - 1] ?? 0;
  if (last - first + 1 === ids.length) return { kind: "range", first, count: ids.length };
  const bits = new Uint8Array(Math.ceil(unitCount / 8));
  for (const id of ids) bits[id >>> 3] = (bits[id >>> 3] ?? 0) | (1 << (id & 7));
  return { kind: "bitmap", base64: Buffer.from(bits).toString("base64") };
}

function parseInputs(inputs: JsonField): PlanInputs {
  const field = objectFields(inputs, [
    "model",
    "profile",
    "hardware",
    "budget_bytes",
    "context",
    "method",
    "objective",
    "solver",
  ]);
  return {
    model: stringOf(field("model")),
    profile: field("profile").value === null ? null : stringOf(field("profile")),
    hardware: stringOf(field("hardware")),
    budgetBytes: countOf(field("budget_bytes")),
    context: countOf(field("context")),
    method: stringOf(field("method")),
    objective: choiceOf(field("objective"), objectives),
    solver: choiceOf(field("solver"), solvers),
  };
}

function parseLayer(layer: JsonField): PlanLayer {
  const field = objectFields(layer, [
    "hot",
    "cold",
    "attention_device",
    "predictor_device",
    "parts",
  ]);
  const unitCount = countOf(field("hot")) + countOf(field("cold"));
  const unit = unitOf(field("parts"));
  const parts = arrayFields(field("parts")).map((part) => parsePart(part, { unit, unitCount }));
  const owners = new Uint8Array(unitCount);
  for (const { units } of parts) for (const id of units) owners[id] = (owners[id] ?? 0) + 1;
  const wrong = owners.findIndex((count) => count !== 1);
  if (wrong >= 0) {
    const found = `${unit} ${wrong} in ${owners[wrong]} parts`;
    throw fieldError({ ...field("parts"), value: found }, `each ${unit} in exactly one part`);
  }
  const cold = parts.find(({ device }) => device === cpuDevice)?.units.length ?? 0;
  if (cold !== field("cold").value) throw fieldError(field("cold"), `${cold}, as in its parts`);
  const attentionDevice = choiceOf(field("attention_device"), devices);
  const predicting = field("predictor_device");
  if (predicting.value === undefined) return { unit, unitCount, attentionDevice, parts };
  const predictorDevice = choiceOf(predicting, [attentionDevice]);
  return { unit, unitCount, attentionDevice, predictorDevice, parts };
}

/** Parts of a layer are all of experts or all of neurons: the first one says which. */
function unitOf(parts: JsonField): PlacementUnit {
  const [first] = arrayFields(parts);
  if (first === undefined) return "neuron";
  const field = objectFields(first, partKeys);
  return field("experts").value === undefined ? "neuron" : "expert";
}

const partKeys = ["device", "neurons", "experts"] as const;

interface PlacedUnits {
  readonly unit: PlacementUnit;
  readonly unitCount: number;
}

function parsePart(part: JsonField, placed: PlacedUnits): PlanPart {
  const field = objectFields(part, ["device", idsKey[placed.unit]]);
  return {
    device: choiceOf(field("device"), devices),
    units: parseIds(field(idsKey[placed.unit]), placed),
  };
}

function parseIds(ids: JsonField, { unit, unitCount }: PlacedUnits): Uint32Array {
  const field = objectFields(ids, ["kind", "first", "count", "base64"]);
  if (choiceOf(field("kind"), ["range", "bitmap"]) === "range") {
    const first = countOf(field("first"));
    const count = countOf(field("count"));
    if (first + count > unitCount)
      throw fieldError(field("count"), `a range within ${unitCount} ${unit}s`);
    return Uint32Array.from({ length: count }, (_, i) => first + i);
  }
  const bits = Buffer.from(stringOf(field("base64")), "base64");
  if (bits.length !== Math.ceil(unitCount / 8)) {
    throw fieldError(field("base64"), `${Math.ceil(unitCount / 8)} bytes, a bit for each ${unit}`);
  }
  const found = Uint32Array.from({ length: bits.length * 8 }, (_, id) => id).filter(
    (id) => ((bits[id >>> 3] ?? 0) >>> (id & 7)) & 1,
  );
  if ((found.at(-1) ?? 0) >= Math.max(1, unitCount))
    throw fieldError(field("base64"), `ids below ${unitCount}`);
  return found;
}

function parseMemory(memory: JsonField): DeviceMemory {
  return Object.fromEntries(
    entryFields(memory).map(([device, items]) => [
      choiceOf({ ...items, value: device }, devices),
      Object.fromEntries(
        entryFields(items).map(([item, bytes]): [string, Bytes] => [item, countOf(bytes)]),
      ),
    ]),
  );
}

function parsePoint(point: JsonField): BudgetPoint {
  const field = objectFields(point, ["budget_bytes", "predicted_tokens_per_second"]);
  return {
    budgetBytes: countOf(field("budget_bytes")),
    predictedTokensPerSecond: amountOf(field("predicted_tokens_per_second")),
  };
}
