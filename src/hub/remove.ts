/** Takes models out of Hugging Face's cache: their links in every snapshot, and contents that no other link leads to. */
import { lstatSync, readdirSync, readlinkSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { OptionError } from "../core/errors.ts";
import type { Bytes } from "../core/units.ts";
import { fileAccessError } from "../io/open-file.ts";
import {
  type CachedRepository,
  cachedRepository,
  filesBelow,
  repositoryFolder,
} from "./cache-layout.ts";
import { modelsNamed } from "./choose-model.ts";
import type { HubName } from "./model-name.ts";
import { partialEnd } from "./partial-file.ts";

export interface RemovedFiles {
  /** "owner/name". */
  readonly repository: string;
  readonly quants: readonly string[];
  /** Bytes of contents that are gone. */
  readonly freedBytes: Bytes;
  /** Bytes left in the store that huggingface_hub shares among repositories: its `hf cache prune` frees what nobody needs. */
  readonly sharedBytes: Bytes;
}

/** @throws OptionError where there is no such model, or several and not all are meant; FileAccessError */
export function removeModels(cacheFolder: string, name: HubName, isAll: boolean): RemovedFiles {
  const cached = cachedRepository(cacheFolder, name.repository);
  const folder = repositoryFolder(cacheFolder, name.repository);
  if (cached === undefined) {
    const freedBytes = removePartial(folder);
    if (freedBytes > 0)
      return { repository: name.repository, quants: [], freedBytes, sharedBytes: 0 };
    throw notThere(name.repository, "a model that is there; hearth list shows them");
  }
  const quants = quantsToRemove(cached, name, isAll);
  const links = cached.revisions
    .flatMap(({ models }) => models)
    .filter(({ quant }) => quants.includes(quant))
    .flatMap(({ files }) => files.map(({ file }) => file));
  try {
    const removed = removeLinks(folder, links);
    const freedBytes = removed.freedBytes + (isAll ? removePartial(folder) : 0);
    return { repository: name.repository, quants, ...removed, freedBytes };
  } catch (error) {
    throw fileAccessError(folder, error);
  }
}

function quantsToRemove(
  cached: CachedRepository,
  { quant }: HubName,
  isAll: boolean,
): readonly string[] {
  const models = cached.revisions.flatMap(({ models: all }) => all);
  const there = [...new Set(models.map((model) => model.quant))];
  if (quant === undefined) {
    if (isAll || there.length === 1) return there;
    const names = there.map((one) => `${cached.name}:${one}`).join(", ");
    throw new OptionError(
      "model",
      `${cached.name}, of which several are there,`,
      `one of ${names}, or --all`,
    );
  }
  const found = modelsNamed(models, quant);
  if (found.length === 0) throw notThere(`${cached.name}:${quant}`, `one of ${there.join(", ")}`);
  return [...new Set(found.map((model) => model.quant))];
}

function notThere(found: string, expected: string): OptionError {
  return new OptionError("model", `${found}, which is not in the cache,`, expected);
}

function removeLinks(
  folder: string,
  links: readonly string[],
): Pick<RemovedFiles, "freedBytes" | "sharedBytes"> {
  const blobs = join(folder, "blobs");
  let [freedBytes, sharedBytes] = [0, 0];
  for (const link of links) {
    const content = contentOf(link);
    const { size } = statSync(link);
    const isShared = contentOf(content) !== content;
    const isLast =
      content === link || (dirname(content) === blobs && !isLinked(folder, content, link));
    rmSync(link);
    if (isLast) rmSync(content, { force: true });
    if (isLast && isShared) sharedBytes += size;
    if (isLast && !isShared) freedBytes += size;
    removeEmptyFolders(dirname(link), folder);
  }
  return { freedBytes, sharedBytes };
}

/** What a link leads to; the file itself where it is none. */
function contentOf(file: string): string {
  return lstatSync(file).isSymbolicLink() ? resolve(dirname(file), readlinkSync(file)) : file;
}

/** By another one than `link`. */
function isLinked(folder: string, content: string, link: string): boolean {
  return filesBelow(join(folder, "snapshots"))
    .map((path) => join(folder, "snapshots", path))
    .some((other) => other !== link && contentOf(other) === content);
}

/** Upwards, as far as nothing is in them; the snapshots of a repository without files are no use to anybody. */
function removeEmptyFolders(from: string, top: string): void {
  for (let folder = from; folder !== top; folder = dirname(folder)) {
    if (readdirSync(folder).length > 0) return;
    rmdirSync(folder);
  }
}

/** What aborted pulls have left. Returns its bytes. */
function removePartial(folder: string): Bytes {
  const blobs = join(folder, "blobs");
  const names = filesBelow(blobs).filter((name) => name.endsWith(partialEnd));
  return names.reduce((sum, name) => {
    const { blocks = 0 } = statSync(join(blobs, name));
    rmSync(join(blobs, name));
    return sum + 512 * blocks;
  }, 0);
}
