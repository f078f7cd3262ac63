/**
 * Durations that are measured once on a machine and kept, by name: a file of the user's cache for each kind, machine, build of the
 * kernels and number of threads. A damaged file, or one of another version, is as if it were not there.
 */
import { isRecord } from "../../core/check-options.ts";
import { type Cache, openCache, readJson } from "../../io/cache.ts";
import { hardwareIdentity } from "./measure.ts";

export interface KeptKind<Value> {
  /** Ends the file's name: "rows". */
  readonly file: string;
  /** What the file calls its entries: "speeds". */
  readonly entries: string;
  /** Raised whenever it is measured in another way. */
  readonly version: number;
  /** Undefined for what is none. */
  readonly read: (value: unknown) => Value | undefined;
}

export class KeptMeasurements<Value> {
  readonly #kind: KeptKind<Value>;
  readonly #cache: Cache;
  readonly #file: string;

  constructor(kind: KeptKind<Value>, threads: number | undefined) {
    this.#kind = kind;
    this.#cache = openCache("hardware");
    this.#file = `${hardwareIdentity({ threads })}-${kind.file}.json`;
  }

  all(): ReadonlyMap<string, Value> {
    const { version, entries, read } = this.#kind;
    const found = new Map<string, Value>();
    const kept = readJson(this.#cache, this.#file);
    if (!isRecord(kept) || kept["version"] !== version || !isRecord(kept[entries])) return found;
    for (const [name, value] of Object.entries(kept[entries])) {
      const usable = read(value);
      if (usable !== undefined) found.set(name, usable);
    }
    return found;
  }

  /** Replaces all of them. What cannot be kept is measured again. */
  async keep(values: ReadonlyMap<string, Value>): Promise<void> {
    const { version, entries } = this.#kind;
    const kept = { version, [entries]: Object.fromEntries(values) };
    await this.#cache.keep(this.#file, JSON.stringify(kept));
  }
}

/** Seconds, as anything here takes. */
export function isDuration(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value < 10;
}
