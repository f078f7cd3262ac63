/**
 * The longest context where a card holds the cache (`contextLength` "largest"): known before anything is loaded. Of a model
 * that lies on the card as a whole, what its weights leave there; of one that both devices hold, a share of the card.
 */
import { findAdapter } from "../backends/webgpu/adapter.ts";
import type { AdapterDescription } from "../backends/webgpu/adapter-description.ts";
import { LimitError, UnsupportedError } from "../core/errors.ts";
import type { Bytes, Tokens } from "../core/units.ts";
import { cardBudget } from "./card-budget.ts";
import { askedAdapter } from "./choose-device.ts";
import type { ModelSetup } from "./model-setup.ts";
import { wholeModelBytes } from "./open-gpu.ts";
import { readPlan } from "./plan-file.ts";
import {
  cacheBytes,
  defaultContextLimit,
  longestContext,
  type ResolvedEngineOptions,
} from "./resolve-options.ts";

/** Of a budget that nobody gave: what is free on a card changes until the model is loaded. */
const steadyShare = 0.95;
/** Of a card that holds a part of the model: each byte of the cache takes the place of a weight's. */
const cacheShareOfCard = 0.25;

/**
 * `setup` has the longest context by the system's memory; a plan brings its own.
 * @throws OptionError for a card whose memory is unknown, where no budget is given; DeviceError without the device that was asked for
 */
export async function withLargestContext(setup: ModelSetup): Promise<ModelSetup> {
  const { plan } = setup.options;
  if (plan !== undefined) return withContext(setup, readPlan(plan).inputs.context);
  const adapter = await cardFor(setup.options);
  return adapter === undefined ? setup : withContext(setup, contextOnCard(setup, adapter));
}

/** The card that may hold the model; undefined where only the system's memory counts. As `chooseDevice` chooses. */
export async function cardFor(
  options: ResolvedEngineOptions,
): Promise<AdapterDescription | undefined> {
  const { device, gpu, vramBudget } = options;
  if (device === "cpu" || device === "reference") return undefined;
  if (device === "auto") {
    const adapter = await findAdapter(gpu, "hardware");
    const isKnown = adapter?.memory !== undefined || vramBudget !== undefined;
    return isKnown && adapter?.cards === 1 ? adapter : undefined;
  }
  const { adapter } = await askedAdapter(options);
  const isSystems = device === "gpu" && adapter.kind === "software" && vramBudget === undefined;
  return isSystems ? undefined : adapter;
}

/** For the device that the options ask for; at least the shortest one, whose error is the one of loading. @throws as cardBudget */
export function contextOnCard(setup: ModelSetup, adapter: AdapterDescription): Tokens {
  const { model, options } = setup;
  const { contextLength: bySystem, device, vramBudget } = options;
  const { contextLength: own } = model.hyperparameters;
  const budget = cardBudget(adapter, vramBudget);
  const room = vramBudget === undefined ? steadyShare * budget : budget;
  const isWhole = (contextLength: Tokens): boolean => {
    const one = withContext(setup, contextLength);
    return wholeBytes(one, adapter) <= room;
  };
  if (device !== "hybrid") {
    const longest = longestContext(own, isWhole);
    const isEnough = longest >= Math.min(own, defaultContextLimit) && isWhole(longest);
    if (device === "gpu" || isEnough) return longest;
    // It stays in the system's memory.
    if (model.hyperparameters.mixture !== undefined) return bySystem;
  }
  const shared = (contextLength: Tokens): boolean =>
    cacheBytes(model, { ...options, contextLength }) <= cacheShareOfCard * room;
  return Math.min(bySystem, longestContext(own, shared));
}

function withContext(setup: ModelSetup, contextLength: Tokens): ModelSetup {
  return { ...setup, options: { ...setup.options, contextLength } };
}

/** Infinity where the card cannot run it so: it may bind too little at once for the cache. */
export function wholeBytes(setup: ModelSetup, adapter: AdapterDescription): Bytes {
  try {
    return wholeModelBytes(setup, adapter);
  } catch (error) {
    const isNoFit = error instanceof LimitError || error instanceof UnsupportedError;
    if (isNoFit) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
