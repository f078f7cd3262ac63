/** Options that several commands share: which model on which device, and how tokens are sampled. */
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { Option } from "commander";
import {
  type Device,
  devices,
  Engine,
  type EngineOptions,
  type GenerateOptions,
  objectives,
  type Sparsity,
  sparsities,
} from "../index.ts";
import {
  byteSize,
  collect,
  collectId,
  realNumber,
  tokenBias,
  wholeNumber,
} from "./option-values.ts";
import { say } from "./output.ts";
import { createBar, showCompiling } from "./progress.ts";

/** The model that comes with hearth: small, for trying things out. */
const bundledModel = fileURLToPath(new URL("../../models/default.gguf", import.meta.url));

export interface EngineFlags {
  readonly context?: number;
  readonly threads?: number;
  readonly mmap: boolean;
  readonly mlock?: true;
  readonly device: Device;
  readonly gpu?: string;
  readonly vramBudget?: number;
  readonly hardware?: string;
  readonly objective: "latency" | "paper";
  readonly plan?: string;
  readonly cacheType: "f16" | "f32" | "q8_0";
  readonly batch?: number;
  readonly sparsity: Sparsity;
  readonly sidecar?: string;
  readonly learn?: true;
  readonly adapt?: true;
}

export interface SamplingFlags {
  readonly predict?: number;
  readonly temp?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly typical?: number;
  readonly repeatPenalty?: number;
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  readonly repeatLastN?: number;
  readonly logitBias?: Readonly<Record<number, number>>;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly stopToken?: readonly number[];
  readonly ignoreEos?: true;
  readonly contextShift?: true;
}

export function modelOption(): Option {
  return new Option("-m, --model <file>", "a GGUF model").default(bundledModel, "the bundled one");
}

export function addEngineOptions(command: Command): Command {
  return command
    .option("-c, --context <tokens>", "tokens of prompt and answer together", wholeNumber)
    .option("--threads <n>", "threads (default: physical cores)", wholeNumber)
    .option("--no-mmap", "read the weights into memory: the file may change while they are used")
    .option("--mlock", "keep the weights in physical memory (default: off)")
    .addOption(
      new Option("--device <device>", "where the model runs").choices([...devices]).default("auto"),
    )
    .option("--gpu <n|name>", "which graphics adapter (hearth doctor lists them)")
    .option("--vram-budget <size>", "most memory to take of the card, as in 8GiB", byteSize)
    .option(
      "--hardware <file|card>",
      "plan for this machine: a profile of hearth doctor --measure, or a described card",
    )
    .addOption(objectiveOption())
    .option("--plan <file>", "place neurons as this output of hearth plan --json says")
    .addOption(
      new Option("--sparsity <method>", "which neurons are computed")
        .choices([...sparsities])
        .default("auto"),
    )
    .option("--sidecar <file>", "what hearth prepare learnt (default: MODEL.sparsity.gguf)")
    .addOption(
      new Option("--cache-type <type>", "precision of the KV cache")
        .choices(["f16", "f32", "q8_0"])
        .default("f16"),
    )
    .option("--batch <tokens>", "tokens of a prompt read at once", wholeNumber);
}

/** What a placement is made for. */
export function objectiveOption(): Option {
  const text = "place neurons for least predicted time, or most activations on the card (paper)";
  return new Option("--objective <name>", text).choices([...objectives]).default("latency");
}

export function addSamplingOptions(command: Command): Command {
  return command
    .option("-n, --predict <tokens>", "most tokens to write", wholeNumber)
    .option("--temp <t>", "temperature; 0 takes the likeliest token (default: 0.8)", realNumber)
    .option("--top-k <k>", "keep the k likeliest tokens; 0 keeps all (default: 40)", wholeNumber)
    .option(
      "--top-p <p>",
      "keep the likeliest tokens up to probability p (default: 0.95)",
      realNumber,
    )
    .option("--min-p <p>", "keep tokens at least p times the likeliest (default: 0.05)", realNumber)
    .option("--typical <p>", "locally typical sampling; 1 is off (default: 1)", realNumber)
    .option("--repeat-penalty <x>", "penalty on recent tokens; 1 is off (default: 1)", realNumber)
    .option("--presence-penalty <x>", "once for each recent token (default: 0)", realNumber)
    .option("--frequency-penalty <x>", "for each recent occurrence (default: 0)", realNumber)
    .option("--repeat-last-n <tokens>", "how far back penalties look (default: 64)", wholeNumber)
    .option(
      "--logit-bias <id=bias>",
      "added to a token's logit; -inf forbids it; repeatable",
      tokenBias,
    )
    .option("--seed <n>", "same seed, same tokens", wholeNumber)
    .option("--stop <text>", "end the answer at this text; repeatable", collect)
    .option("--stop-token <id>", "end the answer at this token; repeatable", collectId)
    .option("--ignore-eos", "go on after an end token")
    .option("--context-shift", "when the context is full, forget its older half and go on");
}

/** For commands that write answers. */
export function addLearnOption(command: Command): Command {
  return command
    .option("--learn", "count the neurons that answers use, for hearth plan --refresh")
    .option("--adapt", "exchange neurons between GPU and CPU between answers, by what they use");
}

export function engineOptions(flags: EngineFlags): EngineOptions {
  return {
    device: flags.device,
    cacheType: flags.cacheType,
    sparsity: flags.sparsity,
    objective: flags.objective,
    ...(flags.sidecar !== undefined && { sidecar: flags.sidecar }),
    ...(flags.context !== undefined && { contextLength: flags.context }),
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.gpu !== undefined && { gpu: flags.gpu }),
    ...(flags.vramBudget !== undefined && { vramBudget: flags.vramBudget }),
    ...(flags.hardware !== undefined && { hardware: flags.hardware }),
    ...(flags.plan !== undefined && { plan: flags.plan }),
    ...(flags.batch !== undefined && { batchSize: flags.batch }),
    ...(!flags.mmap && { mmap: false }),
    ...(flags.mlock && { mlock: true }),
    ...(flags.learn && { learn: true }),
    ...(flags.adapt && { adapt: true }),
  };
}

export async function openEngine(
  model: string,
  flags: EngineFlags,
  extra: Pick<EngineOptions, "timeline"> = {},
): Promise<Engine> {
  const bar = createBar("loading", "bytes");
  try {
    return await Engine.open(model, {
      ...engineOptions(flags),
      ...extra,
      onProgress: ({ done, total }) => bar.update(done, total),
      onCompile: showCompiling,
    });
  } finally {
    bar.stop();
  }
}

export function generateOptions(flags: SamplingFlags): GenerateOptions {
  const optional = {
    maxTokens: flags.predict,
    temperature: flags.temp,
    topK: flags.topK,
    topP: flags.topP,
    minP: flags.minP,
    typicalP: flags.typical,
    repetitionPenalty: flags.repeatPenalty,
    presencePenalty: flags.presencePenalty,
    frequencyPenalty: flags.frequencyPenalty,
    penaltyWindow: flags.repeatLastN,
    logitBias: flags.logitBias,
    seed: flags.seed,
    stop: flags.stop,
    stopTokens: flags.stopToken,
    ignoreEos: flags.ignoreEos,
    contextShift: flags.contextShift,
  };
  return Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
}

/** Closes, and says what was learnt, if it was asked for. */
export async function closeEngine(engine: Engine): Promise<void> {
  const learnt = await engine.learnAndClose();
  if (learnt === undefined) return;
  say(`learnt from ${learnt.tokens} tokens; hearth plan --refresh folds them in`);
}

/** Warnings and choices the user should see, on stderr. */
export function showNotices(engine: Engine): void {
  for (const notice of engine.notices) say(notice);
}
