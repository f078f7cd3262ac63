/** `hearth pull`, `hearth show` and `hearth rm`: models of the hub, by name. The hub's own room (src/hub) does the work. */
import {
  checkOptions,
  checkValue,
  countRule,
  flagRule,
  functionRule,
  type OptionRules,
  signalRule,
  textRule,
} from "../core/check-options.ts";
import { HubError, LimitError, OptionError } from "../core/errors.ts";
import type { Bytes } from "../core/units.ts";
import { cachedRepository } from "../hub/cache-layout.ts";
import { type ChoiceOptions, neededMemory } from "../hub/choose-model.ts";
import { HubConnection } from "../hub/connection.ts";
import type { HubModel } from "../hub/hub-file.ts";
import { type HubName, isHubName, isShortName, parseHubName } from "../hub/model-name.ts";
import { findPulled, type PulledModel, type PullPlan, pull } from "../hub/pull.ts";
import { type RemovedFiles, removeModels } from "../hub/remove.ts";
import { readRepository } from "../hub/repository.ts";
import { hubSettings } from "../hub/settings.ts";
import { memoryOfProcess } from "../io/cgroup.ts";
import { chooseQuant, neededBytes } from "./prediction/choose-quant.ts";
import {
  createPredictor,
  type PredictedModel,
  type Predictor,
} from "./prediction/predict-repository.ts";
import { findModel } from "./resolve-model.ts";

export interface PullOptions {
  /** Take the copy that is here without asking the hub whether there is a newer one. False by default. */
  readonly ifMissing?: boolean;
  /** Requests at the same time; 8 by default. */
  readonly connections?: number;
  /** Called once, before the first byte, where there is something to fetch or to check. */
  readonly onPlan?: (plan: PullPlan) => void;
  /** Bytes that are here, those of an earlier pull among them, and bytes of the whole model. */
  readonly onProgress?: (progress: { readonly done: Bytes; readonly total: Bytes }) => void;
  /** Called with a sentence about something that the user should know: a wait, a damaged copy, a hub that does not answer. */
  readonly onNotice?: (notice: string) => void;
  readonly signal?: AbortSignal;
}

const pullRules: OptionRules<PullOptions> = {
  ifMissing: flagRule,
  connections: countRule(1, 64),
  onPlan: functionRule,
  onProgress: functionRule,
  onNotice: functionRule,
  signal: signalRule,
};

/** One connection to a CDN brings 10 to 50 MB/s on a fast line; eight fill a gigabit. */
const defaultConnections = 8;

/**
 * A model of the hub in Hugging Face's cache, fetched as far as it is not there yet. `name`: "OWNER/NAME", "OWNER/NAME:Q4_K_M", an
 * address of the hub, or a short name such as "qwen3:8b". Without a quantisation one is chosen that fits this machine's memory and
 * is fast enough on it, for which headers are read.
 * @throws OptionError for what names no model, HubError for what the hub refuses, FileAccessError, LimitError
 */
export async function pullModel(name: string, options: PullOptions = {}): Promise<PulledModel> {
  checkValue(name, "model", textRule);
  checkOptions(options, pullRules, "pullModel");
  options.signal?.throwIfAborted();
  const wanted = parseHubName(name);
  using connection = new HubConnection(hubSettings(), { onNotice: options.onNotice });
  const { ifMissing = false, connections = defaultConnections, onProgress, ...steps } = options;
  const memoryBytes = memoryOfProcess();
  const found = findPulled(connection.settings.cacheFolder, wanted, memoryBytes);
  if (ifMissing && found !== undefined) return found;
  try {
    return await pull(connection, wanted, {
      ...steps,
      connections,
      memoryBytes,
      choose: (models, question) =>
        chooseQuant(models, question, createPredictor(connection, { signal: options.signal })),
      onProgress: (done, total) => onProgress?.({ done, total }),
    });
  } catch (error) {
    const isUnreachable = error instanceof HubError && error.status === undefined;
    if (!isUnreachable || found === undefined) throw error;
    options.onNotice?.(`${error.message}; the copy that is here is taken`);
    return found;
  }
}

/**
 * Whether what was given for a model is one to pull: `hf:OWNER/NAME`, an address of the hub, or a short name of the catalogue that no
 * model on this machine has.
 */
export function namesHubModel(word: string): boolean {
  checkValue(word, "model", textRule);
  return isHubName(word) || (isShortName(word) && findModel(word) === undefined);
}

/** What a repository offers to this machine. */
export interface RepositoryListing {
  /** "owner/name". */
  readonly repository: string;
  /** The commit. */
  readonly revision: string;
  readonly licence: string | undefined;
  readonly isGated: boolean;
  /** The smallest first. */
  readonly models: readonly OfferedModel[];
  /** What a pull without a quantisation would take, as a sentence, or why it would take none. */
  readonly choice: string;
  /** Memory that this process may have. */
  readonly memoryBytes: Bytes;
}

export interface OfferedModel {
  readonly quant: string;
  readonly bytes: Bytes;
  /** Paths in the repository: several for a split file. */
  readonly files: readonly string[];
  /** Weights, cache, buffers, and what the system holds: by its header where that was read, else an estimate by size. */
  readonly neededBytes: Bytes;
  /** In the cache, whole. */
  readonly isHere: boolean;
  readonly isChosen: boolean;
  /** With `predict`. */
  readonly predicted?: PredictedModel;
}

export interface ListingOptions {
  /** Read the header of every model, some megabytes each, and predict how fast it runs here. Default false. */
  readonly predict?: boolean;
  /** Hears how many headers of `predict` have been read. */
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

const listingRules: OptionRules<ListingOptions> = {
  predict: flagRule,
  onProgress: functionRule,
  signal: signalRule,
};

/** `name` as for pullModel; of a name with a quantisation, that one is the chosen one. @throws OptionError, HubError */
export async function listRepository(
  name: string,
  options: ListingOptions = {},
): Promise<RepositoryListing> {
  checkValue(name, "model", textRule);
  checkOptions(options, listingRules, "listRepository");
  const { signal, predict = false, onProgress } = options;
  const wanted = parseHubName(name);
  using connection = new HubConnection(hubSettings());
  const { models, ...repository } = await readRepository(connection, { ...wanted, signal });
  const memoryBytes = memoryOfProcess();
  const predictor = createPredictor(connection, { signal });
  const predicted = predict ? await predictAll(models, predictor, onProgress) : [];
  const { chosen, choice } = await choose(models, { ...wanted, memoryBytes }, predictor);
  const here = digestsHere(connection.settings.cacheFolder, wanted);
  return {
    repository: repository.name,
    revision: repository.revision,
    licence: repository.licence,
    isGated: repository.isGated,
    choice,
    memoryBytes,
    models: models.map((model, i) => ({
      quant: model.quant,
      bytes: model.bytes,
      files: model.files.map(({ path }) => path),
      neededBytes: neededOf(model, predicted[i]),
      isHere: model.files.every(({ digest }) => here.has(digest)),
      isChosen: model === chosen,
      ...(predicted[i] && { predicted: predicted[i] }),
    })),
  };
}

/** One after the other. */
async function predictAll(
  models: readonly HubModel[],
  predict: Predictor,
  onProgress: ListingOptions["onProgress"],
): Promise<readonly PredictedModel[]> {
  const predicted: PredictedModel[] = [];
  for (const model of models) {
    predicted.push(await predict(model));
    onProgress?.(predicted.length, models.length);
  }
  return predicted;
}

function neededOf({ bytes }: HubModel, predicted: PredictedModel | undefined): Bytes {
  const { prediction } = predicted ?? {};
  return prediction === undefined ? neededMemory(bytes) : neededBytes(prediction);
}

/** A listing is of use where nothing can be chosen, too: the reason is part of it. */
async function choose(
  models: readonly HubModel[],
  options: ChoiceOptions,
  predict: Predictor,
): Promise<{ readonly chosen: HubModel | undefined; readonly choice: string }> {
  try {
    const { model, reason } = await chooseQuant(models, options, predict);
    return { chosen: model, choice: reason };
  } catch (error) {
    if (!(error instanceof OptionError || error instanceof LimitError)) throw error;
    return { chosen: undefined, choice: error.message };
  }
}

function digestsHere(
  cacheFolder: string,
  { repository }: HubName,
): ReadonlySet<string | undefined> {
  const revisions = cachedRepository(cacheFolder, repository)?.revisions ?? [];
  const models = revisions.flatMap(({ models: all }) => all);
  return new Set(models.flatMap(({ files }) => files.map(({ digest }) => digest)));
}

/**
 * Removes a model from Hugging Face's cache, in all revisions. `name` as for pullModel; without a quantisation the model that is
 * there, or with `all` every one of the repository.
 * @throws OptionError where the cache has no such model, or several
 */
export function removeModel(name: string, options: { readonly all?: boolean } = {}): RemovedFiles {
  checkValue(name, "model", textRule);
  checkOptions(options, { all: flagRule }, "removeModel");
  return removeModels(hubSettings().cacheFolder, parseHubName(name), options.all ?? false);
}
