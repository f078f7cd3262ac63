/** `hearth inspect`: what a GGUF file is and what it would take to run it. */

import type { Command } from "commander";
import { counted } from "../core/counted.ts";
import { visibleJson } from "../core/visible-text.ts";
import {
  formatBytes,
  type Inspection,
  inspectModel,
  type Prediction,
  predictSpeed,
} from "../index.ts";
import { positiveNumber } from "./option-values.ts";
import { print } from "./output.ts";
import { predictionFacts, predictionJson } from "./prediction-text.ts";
import { table } from "./table.ts";

interface InspectFlags {
  readonly json?: true;
  readonly context?: number;
  readonly tensors?: true;
}

const examples = `
Examples:
  $ hearth inspect model.gguf
  $ hearth inspect model.gguf --context 32768 --tensors
  $ hearth inspect model.gguf --json | jq .tensors_by_type`;

export function addInspectCommand(program: Command): void {
  program
    .command("inspect")
    .description("show metadata, tensors and the memory a model needs")
    .argument("<model>", "a GGUF file")
    .option("--json", "print one JSON object")
    .option(
      "-c, --context <tokens>",
      "reckon memory for this context (default: the model's, at most 4096)",
      positiveNumber,
    )
    .option("--tensors", "list every tensor")
    .addHelpText("after", examples)
    .action(inspect);
}

/** What is inspected, at a context, with how fast it will run where that is known. */
interface Shown {
  readonly inspection: Inspection;
  readonly context: number;
  readonly prediction: Prediction | undefined;
}

async function inspect(path: string, flags: InspectFlags): Promise<void> {
  const inspection = inspectModel(path);
  const context = flags.context ?? Math.min(inspection.contextLength ?? 4096, 4096);
  const prediction = await predictionOf(inspection);
  const shown: Shown = { inspection, context, prediction };
  print(flags.json ? visibleJson(asJson(shown)) : asText(shown, flags));
}

/** Undefined for a model that does not run, and on a machine that was not measured. */
async function predictionOf({ path, runs }: Inspection): Promise<Prediction | undefined> {
  return runs ? predictSpeed(path, { unmeasured: "give up" }) : undefined;
}

function tensorsByType(
  inspection: Inspection,
): readonly { type: string; tensors: number; bytes: number }[] {
  const types = [...new Set(inspection.tensors.map((tensor) => tensor.type))];
  return types.map((type) => {
    const ofType = inspection.tensors.filter((tensor) => tensor.type === type);
    return {
      type,
      tensors: ofType.length,
      bytes: ofType.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  });
}

function asJson({ inspection, context, prediction }: Shown): object {
  const { model } = inspection;
  return {
    architecture: inspection.architecture,
    name: model?.name,
    parameters: inspection.parameters,
    file_bytes: inspection.fileBytes,
    context_length: inspection.contextLength,
    experts: expertsAsJson(inspection),
    tensors: inspection.tensors.length,
    tensors_by_type: tensorsByType(inspection),
    magic: inspection.magic,
    version: inspection.version,
    activation: model?.activation.kind,
    gating: model?.gating,
    predictors: model?.hasPredictors,
    runs: inspection.runs,
    reason: inspection.reason,
    memory: {
      context,
      kv_cache_f16_bytes: inspection.kvCacheBytes(context, "f16"),
      needed_bytes: neededBytes(inspection, context),
      available_bytes: inspection.memoryBytes,
    },
    predicted: predictionJson(prediction),
    notices: model?.notices ?? [],
    metadata: Object.fromEntries(inspection.metadata),
  };
}

function asText({ inspection, context, prediction }: Shown, flags: InspectFlags): string {
  const { model } = inspection;
  const facts: readonly (readonly [string, string])[] = [
    ["file", `${inspection.path} (${inspection.magic} v${inspection.version})`],
    ["architecture", inspection.architecture],
    ["parameters", millions(inspection.parameters)],
    ["file size", formatBytes(inspection.fileBytes)],
    [
      "context",
      inspection.contextLength === undefined
        ? "unknown"
        : counted(inspection.contextLength, "token"),
    ],
    ...shapeFacts(inspection),
    ...expertFacts(inspection),
    ["runs", verdict(inspection, context)],
    ...(inspection.runs ? predictionFacts(prediction) : []),
    ...(model?.notices ?? []).map((notice) => ["notice", notice] as const),
  ];
  const types = tensorsByType(inspection).map(({ type, tensors, bytes }) => [
    type,
    String(tensors),
    formatBytes(bytes),
  ]);
  const tensors = inspection.tensors.map(({ name, type, dimensions, bytes }) => [
    name,
    type,
    dimensions.join(" × "),
    formatBytes(bytes),
  ]);
  return [
    table(facts),
    table(inspection.metadata),
    table([["type", "tensors", "bytes"], ...types]),
    ...(flags.tensors ? [table([["tensor", "type", "shape", "bytes"], ...tensors])] : []),
  ].join("\n\n");
}

function shapeFacts({ model }: Inspection): readonly (readonly [string, string])[] {
  if (model === undefined) return [];
  const { layers, dim, attention, neurons } = model.hyperparameters;
  const heads = attention.map((layer) => layer.heads);
  const kvHeads = attention.map((layer) => layer.kvHeads);
  const { mixture } = model.hyperparameters;
  const width =
    mixture === undefined
      ? `${counted(Math.max(...neurons), "neuron")} a layer`
      : `${counted(mixture.neurons, "neuron")} an expert`;
  const ffn = `${width}, ${model.activation.kind}, ${model.gating}`;
  return [
    [
      "shape",
      `${counted(layers, "layer")}, dim ${dim}, ${countedEach(heads, "head")}, ${countedEach(kvHeads, "KV head")}`,
    ],
    ["feed-forward", `${ffn}${model.hasPredictors ? ", with predictors" : ""}`],
  ];
}

function expertFacts({ experts, parameters }: Inspection): readonly (readonly [string, string])[] {
  if (experts === undefined) return [];
  const { count, used, weightBytes, bytesPerToken, parametersPerToken } = experts;
  const share = `${millions(parametersPerToken)} of ${millions(parameters)} parameters`;
  return [
    ["experts", `${used} of ${count} in a layer for each token`],
    [
      "read per token",
      `${formatBytes(bytesPerToken)} of ${formatBytes(weightBytes)} of weights (${share})`,
    ],
  ];
}

function millions(count: number): string {
  return `${(count / 1e6).toFixed(1)} M`;
}

function expertsAsJson({ experts }: Inspection): object | undefined {
  if (experts === undefined) return undefined;
  return {
    count: experts.count,
    used: experts.used,
    weight_bytes: experts.weightBytes,
    bytes_per_token: Math.round(experts.bytesPerToken),
    parameters_per_token: Math.round(experts.parametersPerToken),
  };
}

/** "8 heads", or "4 to 8 heads" where layers differ. */
function countedEach(counts: readonly number[], noun: string): string {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? counted(most, noun) : `${least} to ${counted(most, noun)}`;
}

/** Weights and the cache of one sequence; undefined for a model that does not run. */
function neededBytes(inspection: Inspection, context: number): number | undefined {
  const kv = inspection.kvCacheBytes(context, "f16");
  return kv === undefined ? undefined : inspection.fileBytes + kv;
}

/** Whether it runs, with what memory, and why not. */
function verdict(inspection: Inspection, context: number): string {
  const { reason, memoryBytes, fileBytes } = inspection;
  const needed = neededBytes(inspection, context);
  if (needed === undefined) return `no: ${reason}`;
  const sizes = `${formatBytes(needed)} of ${formatBytes(memoryBytes)}`;
  const cache = `${formatBytes(needed - fileBytes)} of it KV cache (f16)`;
  const text = `${sizes} at ${counted(context, "token")}, ${cache}`;
  if (needed <= memoryBytes) return `yes (${text})`;
  return `yes, slowly: weights that memory does not hold are read for each token (${text})`;
}
