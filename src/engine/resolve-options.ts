/** Options with their defaults for one model, after the rules have judged each value. */
import { LimitError, OptionError } from "../core/errors.ts";
import { type Bytes, formatBytes, type Tokens } from "../core/units.ts";
import { memoryOfProcess } from "../io/cgroup.ts";
import { cacheShape } from "../model/cache-shape.ts";
import type { Model } from "../model/model.ts";
import { kvBytes } from "../ops/kv-shape.ts";
import type { Device, EngineOptions } from "./options.ts";

type WithDefault = "sequences" | "batchSize" | "device" | "objective" | "cacheType" | "sparsity";

/** What the caller said, with a value for every option that has a default. */
export type ResolvedEngineOptions = Omit<EngineOptions, "contextLength"> &
  Required<Pick<EngineOptions, WithDefault>> & { readonly contextLength: Tokens };

/** A context longer than this is only opened when asked for: its cache would take an unexpected amount of memory. */
export const defaultContextLimit: Tokens = 4096;

/**
 * `options` keep their rules (`engineRules`): here they are judged against each other and the model; `requireCacheMemory` judges them
 * against a machine. @throws OptionError naming the option.
 */
export function resolveEngineOptions(options: EngineOptions, model: Model): ResolvedEngineOptions {
  const { contextLength: trained } = model.hyperparameters;
  const { contextLength = Math.min(trained, defaultContextLimit), ...others } = options;
  const resolved = {
    ...others,
    sequences: options.sequences ?? 1,
    batchSize: options.batchSize ?? defaultBatch(options, contextLength),
    device: deviceFor(options),
    objective: options.objective ?? "latency",
    cacheType: options.cacheType ?? "f16",
    sparsity: options.sparsity ?? "auto",
  };
  if (contextLength !== "largest") return { ...resolved, contextLength };
  return { ...resolved, contextLength: largestContext(model, resolved) };
}

/** So that what streams comes once for most prompts. */
export const streamedBatch: Tokens = 2048;

function defaultBatch({ promptStream }: EngineOptions, contextLength: Tokens | "largest"): Tokens {
  if (promptStream !== "always") return 128;
  return contextLength === "largest" ? streamedBatch : Math.min(contextLength, streamedBatch);
}

/** Of the memory that is free beside weights and conversations at rest, what the cache may take: prompts and other programs need some, too. */
const cacheShare = 0.75;
/** Contexts are whole multiples of so many tokens, and never less. */
const contextStep: Tokens = 256;

/** The model's own context, or the longest whose cache fits into the system's memory that is free now. */
function largestContext(
  model: Model,
  options: Omit<ResolvedEngineOptions, "contextLength">,
): Tokens {
  const { contextLength: own } = model.hyperparameters;
  const weights = model.gguf.files.reduce((sum, { bytes }) => sum + bytes, 0);
  const taken = weights + (options.cacheRam ?? 0);
  const unheld = memoryOfProcess() - (options.heldByOthers ?? 0);
  const free = Math.min(process.availableMemory(), unheld);
  const room = cacheShare * Math.max(0, free - taken);
  const fits = (contextLength: Tokens): boolean =>
    cacheBytes(model, { ...options, contextLength }) <= room;
  return longestContext(own, fits);
}

/** The longest one that fits, at most the model's own; a single step where none does. */
export function longestContext(own: Tokens, fits: (contextLength: Tokens) => boolean): Tokens {
  if (fits(own)) return own;
  let [least, most] = [1, Math.ceil(own / contextStep)];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (fits(middle * contextStep)) least = middle;
    else most = middle - 1;
  }
  return Math.min(own, least * contextStep);
}

/** Of all sequences, with their checkpoints. */
export function cacheBytes(model: Model, options: ResolvedEngineOptions): Bytes {
  const { cacheType: kvType, contextLength, sequences, batchSize: maxRows } = options;
  const checkpoints = options.checkpoints ?? ("auto" as const);
  const limits = { contextLength, sequences, maxRows, kvType, checkpoints };
  return kvBytes(cacheShape(model.hyperparameters, limits));
}

/** A plan is for both devices. */
function deviceFor({ device = "auto", plan }: EngineOptions): Device {
  if (plan === undefined) return device;
  if (device === "auto" || device === "hybrid") return "hybrid";
  throw new OptionError(
    "plan",
    `"${plan}" for device ${device}`,
    "device hybrid, which plans are for",
  );
}

/** What a KV cache may lie in. `card`: 0 where the model runs without one, or with one that has the system's memory. */
export interface CacheMemory {
  readonly system: Bytes;
  readonly card: Bytes;
}

/** For a model that is to run where there is so much memory. @throws LimitError when its KV cache cannot fit. */
export function requireCacheMemory(
  model: Model,
  options: ResolvedEngineOptions,
  { system, card }: CacheMemory,
): void {
  const { contextLength, sequences, cacheRam = 0 } = options;
  const needed = cacheBytes(model, options);
  const inSystem = Math.max(0, needed - card);
  const beside = card > 0 ? `, and its card gives ${formatBytes(card)}` : "";
  const has = `this machine has ${formatBytes(system)}${beside}`;
  if (inSystem > system) {
    throw new LimitError(
      `a KV cache of ${sequences} × ${contextLength} tokens takes ${formatBytes(needed)}, ${has}; ask for a shorter context, fewer sequences or checkpoints, or cacheType q8_0`,
    );
  }
  if (inSystem + cacheRam <= system) return;
  throw new LimitError(
    `a KV cache of ${formatBytes(needed)} and cacheRam of ${formatBytes(cacheRam)} do not fit: ${has}; ask for less cacheRam`,
  );
}
