/** Conversations of an engine that left their sequences: in memory, and on the disk where that was asked for. */
import { type Bytes, GiB, MiB } from "../core/units.ts";
import { PrefixCache } from "../runtime/prefix/prefix-cache.ts";
import type { MethodName } from "../sparsity/method-names.ts";
import { CacheDisk } from "./cache-disk/cache-disk.ts";
import { entryOwner } from "./cache-disk/entry.ts";
import type { OpenedModel } from "./open.ts";
import type { EngineOptions } from "./options.ts";

/** With `cacheDisk`, what is written or was read last. */
const defaultRamBesideDisk = 256 * MiB;
const defaultDiskSize = 4 * GiB;

export interface Remembered {
  readonly prefixes: PrefixCache;
  readonly disk?: CacheDisk;
  /** What its conversations take of memory at most. */
  readonly cacheRam: Bytes;
  /** Which neurons were computed: approximate methods give other keys and values. */
  readonly sparsity: MethodName;
}

/**
 * Undefined for an engine that was opened without. `before`: of the same model when it was open before; it goes on where it
 * fits. @throws FileAccessError where the folder takes no files
 */
export async function openRemembered(
  { fingerprint, description, sparsity, session }: OpenedModel,
  options: EngineOptions,
  before?: Remembered,
): Promise<Remembered | undefined> {
  const { cacheDisk, cacheDiskSize = defaultDiskSize } = options;
  const { cacheRam = cacheDisk === undefined ? 0 : defaultRamBesideDisk } = options;
  const { kv } = session.program;
  if (cacheRam === 0 && cacheDisk === undefined) return undefined;
  if (before?.prefixes.isOf(kv) && before.sparsity === sparsity) return before;
  if (cacheDisk === undefined)
    return { prefixes: new PrefixCache(kv, cacheRam), cacheRam, sparsity };
  const { vocabulary } = description;
  const owner = entryOwner({ fingerprint: fingerprint(), vocabulary, sparsity, kv });
  const disk = await CacheDisk.open(cacheDisk, owner, cacheDiskSize);
  const prefixes = new PrefixCache(kv, cacheRam, disk);
  await disk.load(prefixes.tree);
  return { prefixes, disk, cacheRam, sparsity };
}
