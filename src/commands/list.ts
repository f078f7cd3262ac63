/**
 * What `hearth list` shows: the models that are on this machine already, with what their headers say. A header with a
 * large vocabulary takes tenths of a second, so what was read is kept until the file changes.
 */
import { existsSync, statSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { checkOptions, functionRule, isRecord, type OptionRules } from "../core/check-options.ts";
import { counted } from "../core/counted.ts";
import { HearthError } from "../core/errors.ts";
import { packagePath } from "../core/package-root.ts";
import type { Bytes, Elements, Milliseconds } from "../core/units.ts";
import { ownVersion } from "../core/version.ts";
import { type Cache, openCache, readJson } from "../io/cache.ts";
import { findModels } from "../local-models/find-models.ts";
import { fullName, type LocalModel, type Origin } from "../local-models/local-model.ts";
import { ownSurroundings } from "../local-models/places.ts";
import { inspectModel } from "./inspect.ts";

export interface ListOptions {
  /** Hears how many of the models have been looked at. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ListedModel {
  /** By which every command takes it: "ollama:llama3.2:1b". */
  readonly id: string;
  readonly name: string;
  readonly origin: Origin;
  /** Of its first file; "" where the folder that names it has none. */
  readonly path: string;
  /** What its header says; absent where there is none that can be read. */
  readonly header?: ListedHeader;
  readonly runs: boolean;
  /** In a sentence, why it does not run. */
  readonly reason?: string;
}

export interface ListedHeader {
  readonly architecture: string;
  /** What people call its precision: "Q4_K_M". */
  readonly type: string;
  readonly parameters: Elements;
  /** Of all its files. */
  readonly bytes: Bytes;
}

export interface ModelList {
  readonly models: readonly ListedModel[];
  /** What could not be looked through, and why. */
  readonly notices: readonly string[];
}

/** Reading of headers ends after so long: what was read is kept, so that the next list goes on from there. */
const longestReading: Milliseconds = 60_000;

const listRules: OptionRules<ListOptions> = { onProgress: functionRule };

/** Models of other programs where they lie, and the bundled one. Reads headers, never weights. @throws OptionError */
export async function listModels(options: ListOptions = {}): Promise<ModelList> {
  checkOptions(options, listRules, "list");
  const found = findModels(ownSurroundings());
  const headers = new KnownHeaders();
  const startedAt = performance.now();
  const models: ListedModel[] = [];
  const notices = [...found.notices];
  for (const model of found.models) {
    const isLate = performance.now() - startedAt > longestReading;
    models.push({ ...shown(model), ...verdictOn(model, headers, isLate) });
    options.onProgress?.(models.length, found.models.length);
    await nextTurn();
  }
  if (headers.unread > 0) {
    const names = counted(headers.unread, "header was", "headers were");
    notices.push(`${names} not read, to end after a minute; the next list goes on from there`);
  }
  await headers.save();
  return { models, notices };
}

function shown(model: LocalModel): Pick<ListedModel, "id" | "name" | "origin" | "path"> {
  const { name, origin, path } = model;
  return { id: fullName(model), name, origin, path };
}

type Verdict = Pick<ListedModel, "header" | "runs" | "reason">;

function verdictOn(model: LocalModel, headers: KnownHeaders, isLate: boolean): Verdict {
  if (model.path === "" || !existsSync(model.path)) {
    return { runs: false, reason: model.problem ?? "its file is not there" };
  }
  const verdict = headers.verdictOn(model.path, isLate);
  return model.problem === undefined ? verdict : { ...verdict, runs: false, reason: model.problem };
}

function readVerdict(path: string): Verdict {
  try {
    const { architecture, fileType, parameters, fileBytes, runs, reason } = inspectModel(path);
    const header = { architecture, type: fileType, parameters, bytes: fileBytes };
    return { header, runs, ...(reason !== undefined && { reason }) };
  } catch (error) {
    if (error instanceof HearthError) return { runs: false, reason: error.message };
    throw error;
  }
}

/** The parts of a split model may change without the first: such a model is read each time. */
const splitName = /-of-\d{5}\.gguf$/i;

interface KnownHeader extends ListedHeader {
  /** Size and time of the file's last change. */
  readonly state: string;
}

/** Headers of models that run, by path. Another build of hearth may judge otherwise and begins anew. */
class KnownHeaders {
  unread = 0;
  readonly #cache: Cache = openCache("headers");
  readonly #build: string = buildOf();
  readonly #before: ReadonlyMap<string, KnownHeader>;
  readonly #now = new Map<string, KnownHeader>();

  constructor() {
    this.#before = parseKnown(readJson(this.#cache, keptFile), this.#build);
  }

  verdictOn(path: string, isLate: boolean): Verdict {
    const state = stateOf(path);
    const before = this.#before.get(path);
    if (before?.state === state) {
      this.#now.set(path, before);
      const { state: _, ...header } = before;
      return { header, runs: true };
    }
    if (isLate) {
      this.unread++;
      return { runs: false, reason: "its header was not read yet" };
    }
    const verdict = readVerdict(path);
    if (verdict.runs && verdict.header !== undefined && !splitName.test(path)) {
      this.#now.set(path, { ...verdict.header, state });
    }
    return verdict;
  }

  async save(): Promise<void> {
    const kept = { build: this.#build, headers: Object.fromEntries(this.#now) };
    await this.#cache.keep(keptFile, JSON.stringify(kept));
  }
}

const keptFile = "list.json";

/** Of a checkout every build counts, of a published package its version. */
function buildOf(): string {
  const built = packagePath("dist/index.js");
  return existsSync(built) ? `${ownVersion()} of ${statSync(built).mtimeMs}` : ownVersion();
}

function stateOf(path: string): string {
  const { size, mtimeMs } = statSync(path);
  return `${size} bytes of ${mtimeMs}`;
}

/** What is damaged, or of another build, is as if it were not there. */
function parseKnown(kept: unknown, build: string): ReadonlyMap<string, KnownHeader> {
  const known = new Map<string, KnownHeader>();
  if (!isRecord(kept) || kept["build"] !== build || !isRecord(kept["headers"])) return known;
  for (const [path, header] of Object.entries(kept["headers"])) {
    if (!isRecord(header)) continue;
    const { state, architecture, type, parameters, bytes } = header;
    if (typeof state !== "string" || typeof architecture !== "string") continue;
    if (typeof type !== "string" || typeof parameters !== "number") continue;
    if (typeof bytes === "number")
      known.set(path, { state, architecture, type, parameters, bytes });
  }
  return known;
}
