/**
 * The libraries that lie inside the published hearth-llm: those of the lock file, in the versions that were tested, without
 * their tests, documents and sources. As npm brings them they would take twice the disk.
 */
import { cpSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";

/** Of package-lock.json, what this needs. */
export interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly dev?: true; readonly optional?: true; readonly devOptional?: true }>
  >;
}

/** Folders of all that hearth needs when it runs: "node_modules/ajv", "node_modules/ajv/node_modules/fast-uri". */
export function bundledFolders({ packages }: LockFile): readonly string[] {
  return Object.entries(packages)
    .filter(([folder, { dev, optional, devOptional }]) => {
      return folder !== "" && !dev && !optional && !devOptional;
    })
    .map(([folder]) => folder);
}

/** Copies the folders from one package to another. */
export function copyBundled(folders: readonly string[], from: string, to: string): void {
  for (const folder of folders) {
    const source = join(from, folder);
    cpSync(source, join(to, folder), {
      recursive: true,
      filter: (path) => isNeeded(relative(source, path)),
    });
  }
}

const unneededFolders =
  /^(?:node_modules|tests?|docs?|examples?|bench|benchmarks?|integration|\.github)$/;

/** `path`: within its package. Licences stay, readmes, which are the licence of some, and types. */
export function isNeeded(path: string): boolean {
  const [top = ""] = path.split(sep);
  const name = basename(path);
  if (unneededFolders.test(top)) return false;
  if (path === "README.md" || /^(?:licen[cs]e|notice|copying)/i.test(name)) return true;
  return !/\.(?:map|md|markdown)$/.test(name) && !/(?<!\.d)\.[cm]?ts$/.test(name);
}
