/** How the server opens its models: with the same options, and with as long a context as fits. */
import type { FastifyBaseLogger } from "fastify";
import { defined } from "../../core/defined.ts";
import { type Bytes, GiB } from "../../core/units.ts";
import { Engine, type EngineOptions } from "../../index.ts";
import type { ResolvedServerOptions } from "../options.ts";
import type { ModelSettings, SetEntry } from "./host.ts";

/** Of the memory that is free, for conversations at rest; of each model. */
const cacheRamShare = 0.1;
const mostCacheRam: Bytes = 2 * GiB;

/** @throws what `Engine.open` does */
export async function openModel(
  { name, path, settings }: SetEntry,
  options: ResolvedServerOptions,
  {
    log,
    ...given
  }: { readonly log: FastifyBaseLogger } & Required<
    Pick<EngineOptions, "signal" | "onProgress" | "heldByOthers">
  >,
): Promise<Engine> {
  const { parallel, maxQueue, contextLength, engine } = withSettings(options, settings);
  log.info({ model: name }, `loading ${name}`);
  const opened = await Engine.open(path, {
    ...engine,
    sequences: parallel,
    maxQueue,
    contextLength: contextLength ?? "largest",
    cacheRam: engine.cacheRam ?? defaultCacheRam(),
    ...given,
  });
  for (const detail of opened.details) log.debug({ model: name }, `${name}: ${detail}`);
  for (const notice of opened.notices) log.warn({ model: name }, `${name}: ${notice}`);
  log.info(
    { model: name, context: opened.contextLength, parallel },
    describeLoaded(name, opened, parallel),
  );
  return opened;
}

/** The server's options, as they hold for one model. */
export function withSettings(
  options: ResolvedServerOptions,
  { contextLength, vramBudget }: ModelSettings,
): ResolvedServerOptions {
  return {
    ...options,
    ...defined({ contextLength }),
    engine: { ...options.engine, ...defined({ vramBudget }) },
  };
}

export function defaultCacheRam(): Bytes {
  return Math.min(mostCacheRam, Math.floor(cacheRamShare * process.availableMemory()));
}

/** "smollm2 is loaded: 4 answers at once, each with a context of 8192 tokens, as the model has it; cpu (avx512, 2 threads)" */
function describeLoaded(name: string, engine: Engine, parallel: number): string {
  const { contextLength: own } = engine.model.hyperparameters;
  const { contextLength } = engine;
  const why =
    contextLength === own
      ? "as the model has it"
      : `of ${own} that the model has (-c asks for another, --parallel 1 leaves more to each)`;
  return `${name} is loaded: ${parallel} answers at once, each with a context of ${contextLength} tokens, ${why}; ${engine.device}`;
}
