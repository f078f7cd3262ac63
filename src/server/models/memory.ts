/** Whether a further model fits into memory beside those that are loaded. */
import { defined } from "../../core/defined.ts";
import { HearthError } from "../../core/errors.ts";
import { type Bytes, formatBytes, type Tokens } from "../../core/units.ts";
import { type MemoryNeed, predictMemory, type SystemMemory } from "../../index.ts";
import { RequestError } from "../errors.ts";
import type { ResolvedServerOptions } from "../options.ts";
import type { SetEntry } from "./host.ts";
import type { LoadedModel } from "./loaded-model.ts";
import { defaultCacheRam, withSettings } from "./open-model.ts";

/** Memory that further models leave to prompts and other programs. */
const reservedShare = 0.25;

/**
 * Contexts that nobody asked for count as so long, of the new model and of the others: beyond that they got what was free,
 * and what was written into them is free no more. `predictMemory` takes the same length where none is given.
 */
const countedContext: Tokens = 4096;

/** Where it cannot be predicted, the model is tried: opening it says what is wrong. */
export async function fitsIntoMemory(
  { path, settings }: SetEntry,
  loaded: readonly LoadedModel[],
  options: ResolvedServerOptions,
): Promise<boolean> {
  const { engine, parallel, contextLength } = withSettings(options, settings);
  const cacheRam = engine.cacheRam ?? defaultCacheRam();
  const wanted = { ...engine, sequences: parallel, cacheRam };
  let need: MemoryNeed;
  try {
    need = await predictMemory(path, contextLength ? { ...wanted, contextLength } : wanted);
  } catch (error) {
    if (error instanceof HearthError) return true;
    throw error;
  }
  const held: SystemMemory[] = [];
  for (const one of loaded) held.push(counted(one, await heldBy(one), contextLength));
  return fits(need, held, process.availableMemory());
}

/**
 * Before a model is opened with other settings, and the one that runs is closed for that.
 * @throws RequestError where it can never fit; what `Engine.open` says of options that it refuses
 */
export async function requireFit(entry: SetEntry, options: ResolvedServerOptions): Promise<void> {
  const { engine, parallel, contextLength } = withSettings(options, entry.settings);
  const wanted = { ...engine, sequences: parallel, ...defined({ contextLength }) };
  const { systemBytes, availableBytes } = await predictMemory(entry.path, wanted);
  if (systemBytes <= availableBytes) return;
  const message =
    `with these settings ${entry.name} takes ${formatBytes(systemBytes)} of memory, and this machine has ` +
    `${formatBytes(availableBytes)}; ask for a shorter context`;
  throw new RequestError("invalid request", message, { field: "context" });
}

async function heldBy({ engine }: LoadedModel): Promise<SystemMemory> {
  try {
    return (await engine.report()).memory;
  } catch {
    // It was closed meanwhile, or its device is lost: it goes.
    return { mappedWeights: 0, kvCache: 0, others: 0 };
  }
}

function counted(
  { engine }: LoadedModel,
  memory: SystemMemory,
  asked: Tokens | undefined,
): SystemMemory {
  if (asked !== undefined) return memory;
  const share = Math.min(1, countedContext / engine.contextLength);
  return { ...memory, kvCache: share * memory.kvCache };
}

/** What models hold of the system's memory, or will have written to. */
export async function heldBytes(loaded: readonly LoadedModel[]): Promise<Bytes> {
  let bytes: Bytes = 0;
  for (const one of loaded) {
    const { mappedWeights, kvCache, others } = await heldBy(one);
    bytes += mappedWeights + kvCache + others;
  }
  return bytes;
}

/** `free`: what the system says, which has mapped weights among what is free, and memory that was not written to yet. */
export function fits(
  { systemBytes, availableBytes, card }: MemoryNeed,
  held: readonly SystemMemory[],
  free: Bytes,
): boolean {
  if (card !== undefined && card.neededBytes > card.budgetBytes) return false;
  const mapped = held.reduce((sum, { mappedWeights }) => sum + mappedWeights, 0);
  const allocated = held.reduce((sum, { kvCache, others }) => sum + kvCache + others, 0);
  const room = Math.min(free - mapped, availableBytes - mapped - allocated);
  return systemBytes <= (1 - reservedShare) * room;
}
