/** Brings a model of the hub into Hugging Face's cache, or finds it there. */
import { existsSync } from "node:fs";
import { HubError, OptionError } from "../core/errors.ts";
import type { Bytes } from "../core/units.ts";
import {
  type CachedFile,
  cachedRepository,
  linkSnapshot,
  snapshotPath,
  writeRef,
} from "./cache-layout.ts";
import { type Choice, type ChoiceOptions, chooseModel } from "./choose-model.ts";
import type { HubConnection } from "./connection.ts";
import { checkSpace, missingBytesOf } from "./disk-space.ts";
import { type DownloadOptions, downloadBlob } from "./download.ts";
import type { HubFile, HubModel } from "./hub-file.ts";
import type { HubName } from "./model-name.ts";
import { readRepository } from "./repository.ts";

export interface PulledModel {
  /** Of the GGUF file, or of the first part of a split one; in the cache. */
  readonly path: string;
  /** "owner/name". */
  readonly repository: string;
  /** The commit. */
  readonly revision: string;
  readonly quant: string;
  readonly bytes: Bytes;
  /** As the repository's card says; undefined where it says none, and where the hub was not asked. */
  readonly licence: string | undefined;
  /** Why this quantisation, as a sentence. */
  readonly reason: string;
}

/** What is about to be fetched, before the first byte. */
export interface PullPlan {
  readonly repository: string;
  readonly quant: string;
  readonly bytes: Bytes;
  /** Of those, not here yet. */
  readonly missingBytes: Bytes;
  readonly licence: string | undefined;
  readonly reason: string;
}

export interface PullSteps extends Omit<DownloadOptions, "onProgress"> {
  readonly memoryBytes: Bytes;
  /** Default: by size. */
  readonly choose?: (
    models: readonly HubModel[],
    options: ChoiceOptions,
  ) => Choice<HubFile> | Promise<Choice<HubFile>>;
  readonly onPlan?: ((plan: PullPlan) => void) | undefined;
  readonly onProgress?: ((done: Bytes, total: Bytes) => void) | undefined;
}

/** What the cache has of a name, without asking the hub; undefined where it has nothing that fits the name. */
export function findPulled(
  cacheFolder: string,
  name: HubName,
  memoryBytes: Bytes,
): PulledModel | undefined {
  const cached = cachedRepository(cacheFolder, name.repository);
  const isAsked = ({
    revision,
    refs,
  }: {
    readonly revision: string;
    readonly refs: readonly string[];
  }): boolean => revision === name.revision || refs.includes(name.revision);
  // Without a ref of its own, "main" is what was fetched last: @huggingface/hub writes none.
  const revisions =
    cached?.revisions.filter((one) => isAsked(one) || name.revision === "main") ?? [];
  for (const { revision, models } of revisions) {
    const choice = tryChoose(models, name, memoryBytes);
    const [first] = choice?.model.files ?? [];
    if (choice === undefined || first === undefined) continue;
    const { quant, bytes } = choice.model;
    const reason = `${quant}: it is here already`;
    return {
      path: first.file,
      repository: name.repository,
      revision,
      quant,
      bytes,
      licence: undefined,
      reason,
    };
  }
  return undefined;
}

function tryChoose(
  models: Parameters<typeof chooseModel<CachedFile>>[0],
  { quant }: HubName,
  memoryBytes: Bytes,
): Choice<CachedFile> | undefined {
  const [only, another] = models;
  if (quant === undefined && only !== undefined && another === undefined)
    return { model: only, reason: "" };
  try {
    return chooseModel(models, { quant, memoryBytes });
  } catch (error) {
    if (error instanceof OptionError) return undefined;
    throw error;
  }
}

/** @throws HubError, FileAccessError, OptionError, LimitError, the signal's reason */
export async function pull(
  connection: HubConnection,
  name: HubName,
  steps: PullSteps,
): Promise<PulledModel> {
  const { cacheFolder, isOffline } = connection.settings;
  const { signal, memoryBytes, choose = chooseModel } = steps;
  if (isOffline) return foundOffline(cacheFolder, name, memoryBytes);
  const repository = await readRepository(connection, { ...name, signal });
  const { model, reason } = await choose(repository.models, { quant: name.quant, memoryBytes });
  const { quant, bytes, files } = model;
  const missing = files.filter((file) => !existsSync(snapshotPath(cacheFolder, file)));
  const missingBytes = missingBytesOf(cacheFolder, missing);
  const { licence, revision } = repository;
  const facts = { repository: repository.name, quant, bytes, licence, reason };
  steps.onPlan?.({ ...facts, missingBytes });
  await checkSpace(cacheFolder, missing);
  await fetchFiles(connection, model, steps);
  await writeRef(cacheFolder, repository);
  const [first] = files;
  if (first === undefined) throw new RangeError(`${repository.name}: a model of no files`);
  return { ...facts, revision, path: snapshotPath(cacheFolder, first) };
}

function foundOffline(cacheFolder: string, name: HubName, memoryBytes: Bytes): PulledModel {
  const found = findPulled(cacheFolder, name, memoryBytes);
  if (found !== undefined) return found;
  const wanted = name.quant === undefined ? name.repository : `${name.repository}:${name.quant}`;
  throw new HubError(
    `HF_HUB_OFFLINE is set, and ${wanted} is not in ${cacheFolder}; unset it to fetch the model`,
    { address: name.repository },
  );
}

/** The files of a model one after the other, each by several connections. */
async function fetchFiles(
  connection: HubConnection,
  model: HubModel,
  steps: PullSteps,
): Promise<void> {
  const { cacheFolder } = connection.settings;
  let before = 0;
  for (const file of model.files) {
    if (!existsSync(snapshotPath(cacheFolder, file))) {
      const sum = before;
      const onProgress = (done: Bytes): void => steps.onProgress?.(sum + done, model.bytes);
      await downloadBlob(connection, file, { ...steps, onProgress });
      linkSnapshot(cacheFolder, file);
    }
    before += file.size;
    steps.onProgress?.(before, model.bytes);
  }
}
