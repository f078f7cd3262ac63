/** What each option of `Engine.open` and `generate` may be: judged before anything is loaded. */
import { adapterRule, hugePageUses, threadsRule } from "../backends/machine-rules.ts";
import {
  checkOptions,
  choiceRule,
  countRule,
  describeValue,
  flagRule,
  functionRule,
  isPlainObject,
  listRule,
  type OptionRule,
  type OptionRules,
  pathRule,
  signalRule,
  textListRule,
  textRule,
} from "../core/check-options.ts";
import { defined } from "../core/defined.ts";
import { OptionError } from "../core/errors.ts";
import type { Tokens } from "../core/units.ts";
import type { KvType } from "../ops/kv-shape.ts";
import { objectives } from "../placement/problem.ts";
import type { GenerationSettings } from "../runtime/generation-settings.ts";
import { samplingRules } from "../runtime/sampling/sampling-options.ts";
import { sparsities } from "../sparsity/method.ts";
import { checkTemplateOptions } from "../text/chat-template.ts";
import { checkTools } from "../text/replies/tool.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type {
  ChatOptions,
  Device,
  EngineOptions,
  GenerateOptions,
  PromptStream,
  ReopenOptions,
} from "./options.ts";

export const devices: readonly Device[] = ["auto", "cpu", "gpu", "hybrid", "reference"];

export const cacheTypes: readonly KvType[] = ["f16", "f32", "q8_0"];

export const promptStreams: readonly PromptStream[] = ["auto", "always", "never"];

/** The longest context that a program can be made for. */
export const longestContext: Tokens = 1 << 24;

const contextRule: OptionRule = {
  expected: `${countRule(1, longestContext).expected}, or "largest"`,
  accepts: (value) => value === "largest" || countRule(1, longestContext).accepts(value),
};

const byteRule: OptionRule = {
  ...countRule(0),
  expected: "a number of bytes of at least 0",
};

/** Every key and value. The largest counts are those that a program can still be made for. */
export const engineRules: OptionRules<EngineOptions> = {
  contextLength: contextRule,
  sequences: countRule(1, 1024),
  maxQueue: countRule(0),
  checkpoints: countRule(0, 256),
  cacheRam: byteRule,
  heldByOthers: byteRule,
  cacheDisk: pathRule,
  cacheDiskSize: byteRule,
  batchSize: countRule(1, 4096),
  promptSlice: countRule(1, 4096),
  promptStream: choiceRule(promptStreams),
  threads: threadsRule,
  mmap: flagRule,
  hugePages: choiceRule(hugePageUses),
  mlock: flagRule,
  exact: flagRule,
  device: choiceRule(devices),
  onDeviceLost: choiceRule(["cpu", "fail"]),
  gpu: adapterRule,
  vramBudget: byteRule,
  hardware: textRule,
  objective: choiceRule(objectives),
  adapt: flagRule,
  onCompile: functionRule,
  plan: pathRule,
  timeline: flagRule,
  learn: flagRule,
  cacheType: choiceRule(cacheTypes),
  sparsity: choiceRule(sparsities),
  sidecar: pathRule,
  onProgress: functionRule,
  signal: signalRule,
};

const reopenRules: OptionRules<ReopenOptions> = { device: choiceRule(devices) };

/** @throws OptionError naming the option. */
export function checkReopenOptions(options: ReopenOptions): void {
  checkOptions(options, reopenRules, "reopen");
}

export const priorityRule: OptionRule = {
  ...countRule(-1000, 1000),
  expected: "a whole number from -1000 to 1000",
};

const showRule: OptionRule = {
  expected: "{ onToken, timeShare }: a function, and a number from 0 to 1",
  accepts: (value) => {
    if (!isPlainObject(value) || typeof value["onToken"] !== "function") return false;
    const { timeShare = 1, onToken: _, ...others } = value;
    if (typeof timeShare !== "number" || Object.keys(others).length > 0) return false;
    return timeShare >= 0 && timeShare <= 1;
  },
};

export const generateRules: OptionRules<GenerateOptions> = {
  ...samplingRules,
  schema: {
    expected: "a JSON schema, or a schema of zod",
    accepts: (value) => typeof value === "boolean" || isPlainObject(value) || isStandard(value),
  },
  regex: {
    expected: "a regular expression",
    accepts: (value) => typeof value === "string" || value instanceof RegExp,
  },
  grammar: textRule,
  maxTokens: countRule(0),
  stop: textListRule,
  stopTokens: listRule(countRule(0)),
  signal: signalRule,
  logprobs: countRule(0, 1000),
  logprobsOf: choiceRule(["model", "sampler"]),
  promptLogprobs: flagRule,
  cachePrompt: flagRule,
  ignoreEos: flagRule,
  contextShift: flagRule,
  parseSpecial: flagRule,
  priority: priorityRule,
  onPromptProgress: functionRule,
  onQueued: functionRule,
  showNeurons: showRule,
};

function isStandard(value: unknown): boolean {
  const isObject = typeof value === "function" || (typeof value === "object" && value !== null);
  return isObject && "~standard" in value;
}

const templateRule: OptionRule = {
  expected: "an object of options of the chat template",
  accepts: isPlainObject,
};

const toolChoiceRule: OptionRule = {
  expected: '"auto", "none", "required" or { name }',
  accepts: (value) =>
    value === "auto" ||
    value === "none" ||
    value === "required" ||
    (isPlainObject(value) && typeof value["name"] === "string"),
};

const toolsRule: OptionRule = { expected: "a list of tools", accepts: Array.isArray };

/** @throws OptionError naming the option. Whether the vocabulary has the tokens of `logitBias` is known once it is open. */
export function checkGenerateOptions(options: GenerateOptions): void {
  checkOptions(options, generateRules, "generate");
}

/** The same of a conversation's answer. Returns them. */
export function checkChatOptions(options: ChatOptions): ChatOptions {
  checkOptions(
    options,
    { ...generateRules, template: templateRule, tools: toolsRule, toolChoice: toolChoiceRule },
    "chat",
  );
  if (options.template !== undefined) checkTemplateOptions(options.template);
  if (options.tools !== undefined) checkTools(options.tools);
  return options;
}

/** What of an answer's options is a setting of it as it stands. */
export function plainSettings(options: GenerateOptions): Partial<GenerationSettings> {
  const { logprobs, logprobsOf, promptLogprobs, cachePrompt, priority } = options;
  const { onPromptProgress, onQueued } = options;
  const scores = { logprobs, logprobsOf, promptLogprobs };
  return defined({ ...scores, cachePrompt, priority, onPromptProgress, onQueued });
}

/** @throws OptionError for a token of `stopTokens` that is not there */
export function endTokensOf(
  { ignoreEos = false, stopTokens = [] }: GenerateOptions,
  vocabulary: number,
  { special }: Tokenizer,
): ReadonlySet<number> {
  const stops = checkIds(stopTokens, "stopTokens", vocabulary);
  return new Set(ignoreEos ? stops : [...special.endOfGeneration, ...stops]);
}

/** @throws OptionError unless `ids` is a list of ids of this vocabulary. */
export function checkIds(ids: unknown, option: string, vocabulary: number): readonly number[] {
  if (!Array.isArray(ids))
    throw new OptionError(option, describeValue(ids), "a text, its bytes, or token ids");
  const rule = countRule(0, vocabulary - 1);
  const wrong = ids.findIndex((id) => !rule.accepts(id));
  if (wrong < 0) return ids;
  const found = `token ${describeValue(ids[wrong])} at place ${wrong}`;
  throw new OptionError(option, found, `ids from 0 to ${vocabulary - 1}`);
}
