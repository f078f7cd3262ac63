/** Which models a server has, by name. Looking reads no model. */
import { readdirSync, statSync } from "node:fs";
import { basename, join, relative, sep } from "node:path";
import { OptionError } from "../../core/errors.ts";
import { listModels } from "../../index.ts";

export interface CatalogueEntry {
  /** As clients name it. */
  readonly name: string;
  /** Of its first file. */
  readonly path: string;
}

export interface Catalogue {
  /** Looks again each time: files come and go. */
  list(): Promise<readonly CatalogueEntry[]>;
  /** The one that answers whatever name a client gives, where there is but one. */
  readonly only: CatalogueEntry | undefined;
}

/** One model, for every name. */
export function oneModel(path: string, name: string = nameOf(path)): Catalogue {
  const only = { name, path };
  return { only, list: async () => [only] };
}

/** The GGUF files of a folder and of those in it: "llama/8b-Q4_K_M". @throws OptionError unless it is one */
export function folderOfModels(folder: string): Catalogue {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new OptionError("models", `"${folder}"`, "a folder with GGUF files");
  }
  return { only: undefined, list: async () => modelsIn(folder) };
}

/** Every model that `hearth list` shows as running, by the names that it shows. */
export function localModels(): Catalogue {
  return {
    only: undefined,
    list: async () => {
      const { models } = await listModels();
      return models.filter(({ runs }) => runs).map(({ id, path }) => ({ name: id, path }));
    },
  };
}

function nameOf(path: string): string {
  return basename(path).replace(/(-00001-of-\d{5})?\.gguf$/i, "");
}

/** Of a split model the first part alone; what hearth has learnt about a model is no model. */
function modelsIn(folder: string): readonly CatalogueEntry[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.gguf$/i.test(file) && !/\.sparsity\.gguf$/i.test(file))
    .filter((file) => !/-(?!00001)\d{5}-of-\d{5}\.gguf$/i.test(file))
    .map((file) => join(folder, file))
    .map((path) => ({ name: nameIn(folder, path), path }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function nameIn(folder: string, path: string): string {
  const within = relative(folder, path).split(sep).slice(0, -1);
  return [...within, nameOf(path)].join("/");
}
