/**
 * The models of a server. A request takes a lease; a model under a lease is never closed. A model is loaded when it is
 * first asked for, one at a time, and makes room by sending away the one that was used longest ago: nobody gets that one
 * any more, and it is closed when its last request is done. Who asks for it meanwhile waits until it is loaded again. So
 * does who asks for one whose engine has failed: once, and what stands in the way of that is the request's error.
 */
import type { Bytes, Milliseconds, Tokens } from "../../core/units.ts";
import type { Engine, LoadProgress } from "../../index.ts";
import { ModelLoadError, RequestError } from "../errors.ts";
import type { Catalogue, CatalogueEntry } from "./catalogue.ts";
import { LoadedModel } from "./loaded-model.ts";
import { nearNames } from "./near-names.ts";

/** What of a model's options is chosen while the server runs; where it says nothing, the server's own hold. */
export interface ModelSettings {
  readonly contextLength?: Tokens;
  readonly vramBudget?: Bytes;
}

/** A model that is to be opened. */
export interface SetEntry extends CatalogueEntry {
  readonly settings: ModelSettings;
}

export interface ModelHostOptions {
  /** Models in memory at most. */
  readonly maxLoaded: number;
  /** How long a model stays without requests; Infinity: for ever. */
  readonly keepAlive: Milliseconds;
  /** `signal` aborts when the server ends; `loaded` are in memory already. @throws what `Engine.open` does */
  open(
    entry: SetEntry,
    signal: AbortSignal,
    onProgress: (progress: LoadProgress) => void,
    loaded: readonly LoadedModel[],
  ): Promise<Engine>;
  /** Whether a further model fits beside those that are loaded; where none is, it is tried. */
  fits(entry: SetEntry, loaded: readonly LoadedModel[]): boolean | Promise<boolean>;
}

export interface LeaseWish {
  /** Ends the waiting for a model. */
  readonly signal: AbortSignal;
  /** How long the model stays afterwards; default: as the host has it. */
  readonly keepAlive?: Milliseconds | undefined;
}

export interface ModelLease extends Disposable {
  readonly name: string;
  readonly engine: Engine;
  /** How long this request has waited for the model to be loaded; next to nothing where it was there. */
  readonly loadMilliseconds: Milliseconds;
}

interface Held {
  readonly model: LoadedModel;
  readonly release: () => void;
}

export class ModelHost {
  readonly catalogue: Catalogue;
  readonly #options: ModelHostOptions;
  /** By name, from the moment at which its loading begins until it is sent away. */
  readonly #models = new Map<string, Promise<LoadedModel>>();
  readonly #loaded = new Map<string, LoadedModel>();
  /** By name, of the one that is being opened: how much of its weights is there. */
  readonly #opening = new Map<string, LoadProgress>();
  readonly #timers = new Map<LoadedModel, NodeJS.Timeout>();
  /** Models that were sent away and are still held. */
  readonly #leaving = new Set<Promise<void>>();
  readonly #settings = new Map<string, ModelSettings>();
  /** Names of models that are being opened with other settings. */
  readonly #changing = new Set<string>();
  #loading: Promise<unknown> = Promise.resolve();
  readonly #closing = new AbortController();

  constructor(catalogue: Catalogue, options: ModelHostOptions) {
    this.catalogue = catalogue;
    this.#options = options;
  }

  /** Those in memory that are given out, the one that was used longest ago first. */
  loaded(): readonly LoadedModel[] {
    return [...this.#loaded.values()].sort((a, b) => a.lastUsedAt - b.lastUsedAt);
  }

  /** How far a model is whose weights are being loaded; undefined for all others, those that wait for it too. */
  opening(name: string): LoadProgress | undefined {
    return this.#opening.get(name);
  }

  /**
   * Waits until the model is loaded. `name` undefined: the only one there is.
   * @throws RequestError for a name that no model has; ModelLoadError
   */
  async acquire(name: string | undefined, { signal, keepAlive }: LeaseWish): Promise<ModelLease> {
    const entry = await this.find(name);
    const startedAt = performance.now();
    const held = await abortable(this.#hold(entry, keepAlive), signal);
    if (held === undefined) return this.acquire(entry.name, { signal, keepAlive });
    const { model, release } = held;
    return {
      name: entry.name,
      engine: model.engine,
      loadMilliseconds: performance.now() - startedAt,
      [Symbol.dispose]: release,
    };
  }

  /**
   * Holds the model from the moment at which it is loaded: the next one that is loaded must not send it away before its
   * requests came to it. Undefined where it was loaded before and sent away meanwhile.
   */
  #hold(entry: CatalogueEntry, keepAlive: Milliseconds | undefined): Promise<Held | undefined> {
    return this.#model(entry).then((model) => {
      if (this.#loaded.get(entry.name) !== model) return undefined;
      clearTimeout(this.#timers.get(model));
      return { model, release: model.hold(keepAlive) };
    });
  }

  /** Sends a model away that is loaded. False where it is not. @throws RequestError for a name that no model has */
  async unload(name: string): Promise<boolean> {
    const model = this.#loaded.get((await this.find(name)).name);
    if (model !== undefined) void this.#sendAway(model);
    return model !== undefined;
  }

  /** How the model is opened, where that was chosen while the server ran. */
  settings(name: string): ModelSettings {
    return this.#settings.get(name) ?? {};
  }

  /**
   * Opens the model with other settings when its running requests are done; who asks for it meanwhile waits. Where that
   * fails, it is opened as it was.
   * @throws RequestError for a name that no model has, and for one that is being changed already; ModelLoadError: it is as it was
   */
  async reload(name: string | undefined, settings: ModelSettings): Promise<void> {
    const entry = await this.find(name);
    if (this.#changing.has(entry.name)) {
      const message = `the model ${entry.name} is being opened with other settings already`;
      throw new RequestError("unavailable", message);
    }
    this.#changing.add(entry.name);
    try {
      const loaded = await this.#whenLoaded(entry.name);
      if (loaded !== undefined) void this.#sendAway(loaded);
      const before = this.settings(entry.name);
      let refused: unknown;
      await this.#begin(entry.name, async () => {
        this.#settings.set(entry.name, settings);
        try {
          return await this.#load(entry);
        } catch (error) {
          refused = error;
          this.#settings.set(entry.name, before);
          if (loaded === undefined) throw error;
          return await this.#load(entry);
        }
      });
      if (refused !== undefined) throw refused;
    } finally {
      this.#changing.delete(entry.name);
    }
  }

  /** Waits for a model that is being loaded. Undefined for one that is not in memory. */
  async #whenLoaded(name: string): Promise<LoadedModel | undefined> {
    for (;;) {
      const [loaded, loading] = [this.#loaded.get(name), this.#models.get(name)];
      if (loaded !== undefined || loading === undefined) return loaded;
      await loading.catch(() => undefined);
    }
  }

  /** Nothing is given out any more; resolves when all models are closed, after their last requests. */
  async close(): Promise<void> {
    this.#closing.abort(ending());
    await this.#loading;
    for (const model of this.loaded()) void this.#sendAway(model);
    await Promise.all(this.#leaving);
  }

  /** @throws RequestError for a name that no model has */
  async find(name: string | undefined): Promise<CatalogueEntry> {
    this.#closing.signal.throwIfAborted();
    const { only } = this.catalogue;
    if (only !== undefined) return only;
    const entries = await this.catalogue.list();
    const [first] = entries;
    if (name === undefined && first !== undefined && entries.length === 1) return first;
    // Ollama's clients put the tag behind every name that has none.
    const named =
      entries.find((entry) => entry.name === name) ??
      entries.find((entry) => `${entry.name}:latest` === name);
    if (named !== undefined) return named;
    throw noSuchModel(
      name,
      entries.map((entry) => entry.name),
    );
  }

  #model(entry: CatalogueEntry): Promise<LoadedModel> {
    const failed = this.#loaded.get(entry.name);
    if (failed?.engine.failure !== undefined) void this.#sendAway(failed);
    const known = this.#models.get(entry.name);
    if (known !== undefined) return known;
    return this.#begin(entry.name, () => this.#load(entry));
  }

  /** After all loading that has begun before. */
  #begin(name: string, load: () => Promise<LoadedModel>): Promise<LoadedModel> {
    const loading = this.#loading.then(load);
    this.#models.set(name, loading);
    this.#loading = loading.catch(() => {
      if (this.#models.get(name) === loading) this.#models.delete(name);
    });
    return loading;
  }

  async #load(found: CatalogueEntry): Promise<LoadedModel> {
    const { signal } = this.#closing;
    signal.throwIfAborted();
    const entry: SetEntry = { ...found, settings: this.settings(found.name) };
    await this.#makeRoom(entry);
    let engine: Engine;
    try {
      this.#opening.set(entry.name, { done: 0, total: 0 });
      const onProgress = (progress: LoadProgress): unknown =>
        this.#opening.set(entry.name, progress);
      engine = await this.#options.open(entry, signal, onProgress, [...this.#loaded.values()]);
    } catch (error) {
      signal.throwIfAborted();
      throw new ModelLoadError(entry.name, error);
    } finally {
      this.#opening.delete(entry.name);
    }
    const model = new LoadedModel(entry.name, engine, (idle, keepAlive) =>
      this.#expire(idle, keepAlive),
    );
    this.#loaded.set(entry.name, model);
    this.#expire(model, undefined);
    return model;
  }

  /** Sends models away, idle ones first, and waits until their memory is free. */
  async #makeRoom(entry: SetEntry): Promise<void> {
    const { maxLoaded, fits } = this.#options;
    for (;;) {
      const loaded = this.loaded();
      if (loaded.length === 0) break;
      if (loaded.length < maxLoaded && (await fits(entry, loaded))) break;
      // Meanwhile one may have gone by itself.
      const staying = this.loaded();
      const victim = staying.find(({ leases }) => leases === 0) ?? staying[0];
      if (victim === undefined) break;
      await this.#sendAway(victim);
    }
    await Promise.all(this.#leaving);
  }

  #sendAway(model: LoadedModel): Promise<void> {
    clearTimeout(this.#timers.get(model));
    this.#timers.delete(model);
    this.#loaded.delete(model.name);
    this.#models.delete(model.name);
    const leaving = model.leave();
    this.#leaving.add(leaving);
    return leaving.finally(() => this.#leaving.delete(leaving));
  }

  /** Sends it away when nobody has asked for it for so long. */
  #expire(model: LoadedModel, keepAlive: Milliseconds = this.#options.keepAlive): void {
    clearTimeout(this.#timers.get(model));
    model.expiresAt = new Date(Math.min(Date.now() + keepAlive, farthestDate));
    // Node's timers count to 2^31: some 25 days, which is for ever.
    if (keepAlive >= 2 ** 31) return;
    const expired = (): void => {
      if (model.leases === 0 && this.#loaded.get(model.name) === model) void this.#sendAway(model);
    };
    this.#timers.set(model, setTimeout(expired, keepAlive).unref());
  }
}

/** The last day of the year 9999: JSON's dates have four digits. */
const farthestDate = Date.UTC(9999, 11, 31);

function ending(): RequestError {
  return new RequestError("unavailable", "the server is ending");
}

function noSuchModel(name: string | undefined, names: readonly string[]): RequestError {
  const known =
    names.length === 0
      ? "there is none here"
      : `there are ${nearNames(name ?? "", names).join(", ")}`;
  const message =
    name === undefined
      ? `model: a name is needed; ${known}`
      : `model: there is no model "${name}"; ${known}`;
  return new RequestError(name === undefined ? "invalid request" : "not found", message, {
    field: "model",
  });
}

/** What nobody waits for any more is released when it comes. @throws the signal's reason when it aborts first */
function abortable(
  holding: Promise<Held | undefined>,
  signal: AbortSignal,
): Promise<Held | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason);
      holding.then(
        (held) => held?.release(),
        () => undefined,
      );
    };
    const forget = (): void => signal.removeEventListener("abort", abort);
    const settle = (held: Held | undefined): void => {
      forget();
      resolve(held);
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    holding.then(settle, (error: unknown) => {
      forget();
      reject(error);
    });
  });
}
