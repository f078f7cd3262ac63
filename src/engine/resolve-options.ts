/** Options with their defaults for one model, after the rules have judged each value. */
import { LimitError, OptionError } from "../core/errors.ts";
import { type Bytes, formatBytes, type Tokens } from "../core/units.ts";
import { cacheShape } from "../model/cache-shape.ts";
import type { Model } from "../model/model.ts";
import { kvBytes } from "../ops/kv-shape.ts";
import type { Device, EngineOptions } from "./options.ts";

type WithDefault =
  | "contextLength"
  | "sequences"
  | "batchSize"
  | "device"
  | "objective"
  | "cacheType"
  | "sparsity";

/** What the caller said, with a value for every option that has a default. */
export type ResolvedEngineOptions = EngineOptions & Required<Pick<EngineOptions, WithDefault>>;

/** A context longer than this is only opened when asked for: its cache would take an unexpected amount of memory. */
const defaultContextLimit: Tokens = 4096;

/**
 * `options` keep their rules (`engineRules`): here they are judged against each other and the model; `requireCacheMemory` judges them
 * against a machine. @throws OptionError naming the option.
 */
export function resolveEngineOptions(options: EngineOptions, model: Model): ResolvedEngineOptions {
  const { contextLength: trained } = model.hyperparameters;
  return {
    ...options,
    contextLength: options.contextLength ?? Math.min(trained, defaultContextLimit),
    sequences: options.sequences ?? 1,
    batchSize: options.batchSize ?? 128,
    device: deviceFor(options),
    objective: options.objective ?? "latency",
    cacheType: options.cacheType ?? "f16",
    sparsity: options.sparsity ?? "auto",
  };
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

/** For a model that is to run on a machine with so much memory. @throws LimitError when its KV cache cannot fit. */
export function requireCacheMemory(
  model: Model,
  options: ResolvedEngineOptions,
  systemMemory: Bytes,
): void {
  const { cacheType: kvType, contextLength, sequences, batchSize: maxRows } = options;
  const checkpoints = options.checkpoints ?? ("auto" as const);
  const limits = { contextLength, sequences, maxRows, kvType, checkpoints };
  const needed = kvBytes(cacheShape(model.hyperparameters, limits));
  if (needed <= systemMemory) return;
  throw new LimitError(
    `a KV cache of ${sequences} × ${contextLength} tokens takes ${formatBytes(needed)}, this machine has ${formatBytes(systemMemory)}; ask for a shorter context, fewer sequences or checkpoints, or cacheType q8_0`,
  );
}
