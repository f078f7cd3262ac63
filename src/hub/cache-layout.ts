/**
 * Hugging Face's cache on disk, as Python's huggingface_hub lays it out, so that each reads what the other has fetched:
 *
 *   CACHE/models--OWNER--NAME/blobs/DIGEST                    contents, named by sha256 (LFS) or git's sha1; with Xet links to
 *         blobs/AB/XETHASH                                    the store that all repositories share, which is Python's alone
 *                             snapshots/COMMIT/PATH           links to them; a file itself where there are no links
 *                             refs/main                       the commit that a branch or tag stood for
 *   CACHE/.locks/models--OWNER--NAME/DIGEST.lock              who writes a content
 *
 * Source: huggingface_hub 2.4.0, file_download.py.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import type { Bytes } from "../core/units.ts";
import { codeOf, fileAccessError, readTextFile } from "../io/open-file.ts";
import { replaceFile } from "../io/replace-file.ts";
import { groupByQuant } from "./group-by-quant.ts";
import type { HubFile, ModelFiles } from "./hub-file.ts";

export interface CachedFile {
  /** Within the repository, with slashes. */
  readonly path: string;
  /** Where it lies on this machine, in a snapshot: the other parts of a split model lie beside it. */
  readonly file: string;
  readonly size: Bytes;
  /** Of its content, by the name of the content; undefined where the snapshot has the file itself. */
  readonly digest: string | undefined;
}

interface CachedRevision {
  /** A commit. */
  readonly revision: string;
  /** Branches and tags that stood for it when something was last fetched: "main". */
  readonly refs: readonly string[];
  /** The smallest first; whole ones only. */
  readonly models: readonly ModelFiles<CachedFile>[];
}

export interface CachedRepository {
  /** "owner/name". */
  readonly name: string;
  readonly folder: string;
  /** Those with GGUF files; what "main" stood for comes first, then the latest. */
  readonly revisions: readonly CachedRevision[];
}

/** A folder of the cache for a repository; it need not exist. `name`: "owner/name". */
export function repositoryFolder(cacheFolder: string, name: string): string {
  return join(cacheFolder, folderName(name));
}

export function blobPath(cacheFolder: string, { repository, digest }: HubFile): string {
  return join(repositoryFolder(cacheFolder, repository), "blobs", digest);
}

export function snapshotPath(cacheFolder: string, { repository, revision, path }: HubFile): string {
  const folder = repositoryFolder(cacheFolder, repository);
  return join(folder, "snapshots", revision, ...path.split("/"));
}

/** Of Python's huggingface_hub: it holds flock(2) on this file while it fetches the content. */
export function lockPath(cacheFolder: string, { repository, digest }: HubFile): string {
  return join(cacheFolder, ".locks", folderName(repository), `${digest}.lock`);
}

function folderName(name: string): string {
  return ["models", ...name.split("/")].join("--");
}

/** All repositories with GGUF files, by name; none where there is no cache. */
export function cachedRepositories(cacheFolder: string): readonly CachedRepository[] {
  return namesIn(cacheFolder)
    .filter((name) => name.startsWith("models--"))
    .map((name) =>
      readCached(join(cacheFolder, name), name.slice("models--".length).replaceAll("--", "/")),
    )
    .filter(({ revisions }) => revisions.length > 0);
}

/** What of a repository is in the cache; undefined where it has no GGUF file there. */
export function cachedRepository(cacheFolder: string, name: string): CachedRepository | undefined {
  const cached = readCached(repositoryFolder(cacheFolder, name), name);
  return cached.revisions.length > 0 ? cached : undefined;
}

function readCached(folder: string, name: string): CachedRepository {
  const refs = readRefs(join(folder, "refs"));
  const snapshots = join(folder, "snapshots");
  const revisions = namesIn(snapshots)
    .map((revision) => ({
      revision,
      refs: refs.filter(([, commit]) => commit === revision).map(([ref]) => ref),
      models: groupByQuant(filesIn(join(snapshots, revision))),
      changed: statSync(join(snapshots, revision), { throwIfNoEntry: false })?.mtimeMs ?? 0,
    }))
    .filter(({ models }) => models.length > 0)
    .sort(
      (a, b) =>
        Number(b.refs.includes("main")) - Number(a.refs.includes("main")) || b.changed - a.changed,
    )
    .map(({ changed: _, ...revision }) => revision);
  return { name, folder, revisions };
}

/** A ref may have slashes: "refs/pr/1". */
function readRefs(folder: string): readonly (readonly [string, string])[] {
  return filesBelow(folder).flatMap((path) => {
    const commit = textOf(join(folder, path)).trim();
    return commit === "" ? [] : [[path.split(sep).join("/"), commit] as const];
  });
}

function textOf(file: string): string {
  try {
    return readTextFile(file, 4096);
  } catch {
    return "";
  }
}

/** GGUF files that are there: not links whose content was removed. */
function filesIn(snapshot: string): readonly CachedFile[] {
  return filesBelow(snapshot)
    .filter((path) => /\.gguf$/i.test(path))
    .flatMap((path) => {
      const file = join(snapshot, path);
      const found = statSync(file, { throwIfNoEntry: false });
      if (!found?.isFile()) return [];
      return [{ path: path.split(sep).join("/"), file, size: found.size, digest: digestOf(file) }];
    });
}

function digestOf(file: string): string | undefined {
  if (!lstatSync(file).isSymbolicLink()) return undefined;
  const name = basename(readlinkSync(file));
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(name) ? name : undefined;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Paths of files and links, at any depth; none where there is no folder. */
export function filesBelow(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  } catch {
    return [];
  }
}

/** Makes the folders that a file of the repository goes through. @throws FileAccessError */
export function makeFolders(cacheFolder: string, file: HubFile): void {
  const paths = [
    blobPath(cacheFolder, file),
    lockPath(cacheFolder, file),
    snapshotPath(cacheFolder, file),
  ];
  for (const folder of paths.map(dirname)) {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw fileAccessError(folder, error);
    }
  }
}

/**
 * The file under its own name, once its content is whole. Without symbolic links (Windows without developer mode) the content
 * moves there, as huggingface_hub does it. @throws FileAccessError
 */
export function linkSnapshot(cacheFolder: string, file: HubFile): string {
  const blob = blobPath(cacheFolder, file);
  const path = snapshotPath(cacheFolder, file);
  try {
    if (existsSync(path)) return path;
    rmSync(path, { force: true });
    if (!trySymlink(relative(dirname(path), blob), path)) renameSync(blob, path);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(path)) throw fileAccessError(path, error);
  }
  return path;
}

function trySymlink(target: string, path: string): boolean {
  try {
    symlinkSync(target, path, "file");
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === "EPERM" || code === "ENOSYS" || code === "ENOTSUP" || code === "EOPNOTSUPP")
      return false;
    throw error;
  }
}

/** Keeps what a branch or tag stands for, so that it is known without the hub. @throws FileAccessError */
export async function writeRef(
  cacheFolder: string,
  {
    name,
    asked,
    revision,
  }: { readonly name: string; readonly asked: string; readonly revision: string },
): Promise<void> {
  if (asked === revision) return;
  const path = join(repositoryFolder(cacheFolder, name), "refs", ...asked.split("/"));
  if (textOf(path) === revision) return;
  mkdirSync(dirname(path), { recursive: true });
  await replaceFile(path, (handle) => handle.writeFile(revision));
}
