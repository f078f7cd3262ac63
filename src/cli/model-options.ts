/** Options that several commands share: which model on which device, and how tokens are sampled. */

import type { Command } from "commander";
import { counted } from "../core/counted.ts";
import {
  cacheTypes,
  devices,
  Engine,
  type EngineOptions,
  type FormOptions,
  type GenerateOptions,
  objectives,
  sparsities,
} from "../index.ts";
import { ApiOption, addApiOptions, givenOptions } from "./api-option.ts";
import { bundledModel } from "./bundled-model.ts";
import { fileOptions } from "./file-options.ts";
import {
  byteSize,
  collect,
  collectId,
  mirostatVersion,
  realNumber,
  sequenceBreaker,
  tokenBias,
  wholeNumber,
} from "./option-values.ts";
import { say } from "./output.ts";
import { createBar, showCompiling } from "./progress.ts";
import { batchOption, promptStreamOption } from "./prompt-options.ts";
import { addVoiceOptions, type VoiceFlags } from "./voice.ts";

/** Options of `Engine.open` that flags give. */
export type EngineFlags = VoiceFlags &
  Omit<EngineOptions, "contextLength" | "timeline" | "onProgress" | "onCompile" | "signal"> & {
    readonly contextLength?: number;
  };

/** Options of `generate` that flags give. */
export type SamplingFlags = Omit<
  GenerateOptions,
  | "signal"
  | "logprobs"
  | "parseSpecial"
  | "onPromptProgress"
  | "priority"
  | "onQueued"
  | keyof FormOptions
>;

export function modelOption(): ApiOption<"model"> {
  const option = new ApiOption("model", "-m, --model <file>", "a GGUF model", ["path"]);
  return option.default(bundledModel, "the bundled one");
}

export function contextOption(
  text = "tokens of prompt and answer together (default: the model's, at most 4096)",
): ApiOption<"contextLength"> {
  return new ApiOption("contextLength", "-c, --context <tokens>", text, ["window"]).argParser(
    wholeNumber,
  );
}

export function checkpointsOption(): ApiOption<"checkpoints"> {
  const text =
    "states kept to go back to, where layers have windows or recurrent states (default: 2 to 8)";
  return new ApiOption("checkpoints", "--checkpoints <n>", text).argParser(wholeNumber);
}

export function cacheTypeOption(): ApiOption<"cacheType"> {
  return new ApiOption("cacheType", "--cache-type <type>", "precision of the KV cache")
    .choices([...cacheTypes])
    .default("f16");
}

/** What a placement is made for. */
export function objectiveOption(): ApiOption<"objective"> {
  const text = "place neurons for least predicted time, or most activations on the card (paper)";
  return new ApiOption("objective", "--objective <name>", text)
    .choices([...objectives])
    .default("latency");
}

export function sparsityOption(): ApiOption<"sparsity"> {
  return new ApiOption("sparsity", "--sparsity <method>", "which neurons are computed")
    .choices([...sparsities])
    .default("auto");
}

export function threadsOption(): ApiOption<"threads"> {
  return new ApiOption(
    "threads",
    "-t, --threads <n>",
    "threads (default: physical cores)",
  ).argParser(wholeNumber);
}

export function gpuOption(): ApiOption<"gpu"> {
  return new ApiOption(
    "gpu",
    "--gpu <n|name|low-power>",
    "which graphics adapter of hearth doctor (default: the first that is no software)",
  );
}

export function hardwareOption(): ApiOption<"hardware"> {
  return new ApiOption(
    "hardware",
    "--hardware <file|card>",
    "plan for this machine: a profile of hearth doctor --measure, or a described card (default: this machine)",
  );
}

/** In the order of the help. */
const deviceOptions = (): readonly ApiOption<keyof EngineFlags>[] => [
  contextOption(),
  threadsOption(),
  ...fileOptions(),
  new ApiOption(
    "exact",
    "--exact",
    "leave the inputs of quantised weights unrounded on the CPU: slower (default: off)",
  ),
  new ApiOption("device", "--device <device>", "where the model runs")
    .choices([...devices])
    .default("auto"),
  gpuOption(),
  new ApiOption(
    "vramBudget",
    "--vram-budget <size>",
    "most memory to take of the card, as in 8GiB (default: nine tenths of it)",
  ).argParser(byteSize),
  hardwareOption(),
  objectiveOption(),
  new ApiOption(
    "plan",
    "--plan <file>",
    "place neurons as this output of hearth plan --json says (default: a plan made now)",
  ),
  sparsityOption(),
  new ApiOption(
    "sidecar",
    "--sidecar <file>",
    "what hearth prepare learnt (default: MODEL.sparsity.gguf)",
  ),
  cacheTypeOption(),
  checkpointsOption(),
  batchOption(),
  promptStreamOption(),
];

const answerOptions = (): readonly ApiOption<keyof EngineFlags>[] => [
  new ApiOption(
    "learn",
    "--learn",
    "count the neurons that answers use, for hearth plan --refresh",
  ),
  new ApiOption(
    "adapt",
    "--adapt",
    "exchange neurons or experts between GPU and CPU, by what answers use",
  ),
  new ApiOption(
    "onDeviceLost",
    "--on-device-lost <what>",
    "when the graphics card is lost: go on on the cpu, or fail",
  )
    .choices(["cpu", "fail"])
    .default("fail"),
];

const samplingOptions = (): readonly ApiOption<keyof SamplingFlags>[] => [
  new ApiOption(
    "maxTokens",
    "-n, --predict <tokens>",
    "most tokens to write (default: until it ends or the context is full)",
  ).argParser(wholeNumber),
  new ApiOption(
    "temperature",
    "--temp <t>",
    "temperature; 0 takes the likeliest token (default: 0.8)",
  ).argParser(realNumber),
  new ApiOption(
    "topK",
    "--top-k <k>",
    "keep the k likeliest tokens; 0 keeps all (default: 40)",
  ).argParser(wholeNumber),
  new ApiOption(
    "topP",
    "--top-p <p>",
    "keep the likeliest tokens up to probability p (default: 0.95)",
  ).argParser(realNumber),
  new ApiOption(
    "minP",
    "--min-p <p>",
    "keep tokens at least p times the likeliest (default: 0.05)",
  ).argParser(realNumber),
  new ApiOption(
    "typicalP",
    "--typical <p>",
    "locally typical sampling; 1 is off (default: 1)",
  ).argParser(realNumber),
  new ApiOption(
    "topNSigma",
    "--top-n-sigma <n>",
    "keep tokens within n deviations of the largest logit; 0 is off (default: 0)",
  ).argParser(realNumber),
  new ApiOption(
    "xtcProbability",
    "--xtc-probability <p>",
    "how often all but the last likely token are left out (default: 0)",
  ).argParser(realNumber),
  new ApiOption(
    "xtcThreshold",
    "--xtc-threshold <p>",
    "from where on a token is likely to XTC; above 0.5 it is off (default: 0.1)",
  ).argParser(realNumber),
  new ApiOption(
    "dynatempRange",
    "--dynatemp-range <t>",
    "how far the temperature follows the entropy; 0 is off (default: 0)",
  ).argParser(realNumber),
  new ApiOption(
    "dynatempExponent",
    "--dynatemp-exp <x>",
    "power of the entropy's share in it (default: 1)",
  ).argParser(realNumber),
  new ApiOption(
    "mirostat",
    "--mirostat <version>",
    "1 or 2: hold the surprise instead of other filters; 0 is off (default: 0)",
  ).argParser(mirostatVersion),
  new ApiOption(
    "mirostatTau",
    "--mirostat-ent <bits>",
    "the surprise that Mirostat aims at (default: 5)",
  ).argParser(realNumber),
  new ApiOption(
    "mirostatEta",
    "--mirostat-lr <x>",
    "how fast Mirostat learns (default: 0.1)",
  ).argParser(realNumber),
  new ApiOption(
    "repetitionPenalty",
    "--repeat-penalty <x>",
    "penalty on recent tokens; 1 is off (default: 1)",
  ).argParser(realNumber),
  new ApiOption(
    "presencePenalty",
    "--presence-penalty <x>",
    "once for each recent token (default: 0)",
  ).argParser(realNumber),
  new ApiOption(
    "frequencyPenalty",
    "--frequency-penalty <x>",
    "for each recent occurrence (default: 0)",
  ).argParser(realNumber),
  new ApiOption(
    "penaltyWindow",
    "--repeat-last-n <tokens>",
    "how far back penalties look (default: 64)",
  ).argParser(wholeNumber),
  new ApiOption(
    "dryMultiplier",
    "--dry-multiplier <x>",
    "penalty on tokens that go on with a repetition; 0 is off (default: 0)",
  ).argParser(realNumber),
  new ApiOption(
    "dryBase",
    "--dry-base <x>",
    "how it grows with each repeated token (default: 1.75)",
  ).argParser(realNumber),
  new ApiOption(
    "dryAllowedLength",
    "--dry-allowed-length <tokens>",
    "repetitions shorter than this are free (default: 2)",
  ).argParser(wholeNumber),
  new ApiOption(
    "dryPenaltyLastN",
    "--dry-penalty-last-n <tokens>",
    "how far back repetitions are looked for (default: 64)",
  ).argParser(wholeNumber),
  new ApiOption(
    "drySequenceBreakers",
    "--dry-sequence-breaker <text>",
    'no repetition reaches across it; repeatable; "none" for none (default: line break : " *)',
  ).argParser(sequenceBreaker),
  new ApiOption(
    "logitBias",
    "--logit-bias <token=bias>",
    "added to the logit of an id or of a text's tokens; -inf forbids; repeatable (default: none)",
  ).argParser(tokenBias),
  new ApiOption("seed", "--seed <n>", "same seed, same tokens (default: a new one)").argParser(
    wholeNumber,
  ),
  new ApiOption(
    "stop",
    "--stop <text>",
    "end the answer at this text; repeatable (default: none)",
  ).argParser(collect),
  new ApiOption(
    "stopTokens",
    "--stop-token <id>",
    "end the answer at this token; repeatable (default: none)",
  ).argParser(collectId),
  new ApiOption("ignoreEos", "--ignore-eos", "go on after an end token"),
  new ApiOption(
    "contextShift",
    "--context-shift",
    "when the context is full, forget its older half and go on",
  ),
];

export function addEngineOptions(command: Command): Command {
  return addVoiceOptions(addApiOptions(command, deviceOptions()));
}

/** The same, with another sentence about the context. */
export function addServerEngineOptions(command: Command): Command {
  const others = deviceOptions().filter(({ apiName }) => apiName !== "contextLength");
  const lost = answerOptions().filter(({ apiName }) => apiName === "onDeviceLost");
  const text =
    "tokens of prompt and answer together, of each answer (default: the model's own, or as many as fit into memory)";
  const options = [contextOption(text), ...others, ...lost, ...sharingOptions()];
  return addVoiceOptions(addApiOptions(command, options));
}

/** For engines of several answers. */
const sharingOptions = (): readonly ApiOption<keyof EngineFlags>[] => [
  new ApiOption(
    "promptSlice",
    "--prompt-slice <tokens>",
    "tokens of prompts read in a step beside answers (default: by the time they take)",
  ).argParser(wholeNumber),
  new ApiOption(
    "cacheRam",
    "--cache-ram <size>",
    "memory for conversations at rest, as in 2GiB (default: a tenth of what is free, at most 2GiB)",
  ).argParser(byteSize),
  new ApiOption(
    "cacheDisk",
    "--cache-disk <folder>",
    "where conversations outlive the process (default: nowhere)",
  ),
  new ApiOption(
    "cacheDiskSize",
    "--cache-disk-size <size>",
    "the most that is kept there, of all models (default: 4GiB)",
  ).argParser(byteSize),
];

/** For commands that write answers. */
export function addAnswerOptions(command: Command): Command {
  return addApiOptions(command, answerOptions());
}

export function addSamplingOptions(command: Command): Command {
  return addApiOptions(command, samplingOptions());
}

export function engineOptions(flags: EngineFlags): EngineOptions {
  return givenOptions(flags, [...deviceOptions(), ...answerOptions(), ...sharingOptions()]);
}

export function generateOptions(flags: SamplingFlags): GenerateOptions {
  return givenOptions(flags, samplingOptions());
}

export async function openEngine(
  model: string,
  flags: EngineFlags,
  extra: Pick<EngineOptions, "timeline"> = {},
): Promise<Engine> {
  const bar = createBar("loading", "bytes", flags);
  try {
    return await Engine.open(model, {
      ...engineOptions(flags),
      ...extra,
      onProgress: ({ done, total }) => bar.update(done, total),
      onCompile: (kernels) => showCompiling(kernels, flags),
    });
  } finally {
    bar.stop();
  }
}

/** Closes, and says what was learnt, if it was asked for. */
export async function closeEngine(engine: Engine, { quiet }: VoiceFlags): Promise<void> {
  const learnt = await engine.learnAndClose();
  if (learnt === undefined || quiet) return;
  say(`learnt from ${counted(learnt.tokens, "token")}; hearth plan --refresh folds them in`);
}
