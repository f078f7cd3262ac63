/**
 * Models in llama.cpp's own cache. Until 2026 `-hf user/model:tag` was kept there as `user_model_file.gguf` beside
 * `manifest=user=model=tag.json`, the answer of the hub that names the file. Sources: llama.cpp common/arg.cpp and
 * common/download.cpp of 2025. Newer versions use Hugging Face's cache, or its layout in LLAMA_CACHE.
 */
import { basename, join } from "node:path";
import { isRecord } from "../core/check-options.ts";
import { HearthError } from "../core/errors.ts";
import { MiB } from "../core/units.ts";
import { readTextFile } from "../io/open-file.ts";
import type { FoundModels, LocalModel } from "./local-model.ts";
import { llamaCppFolder, type Surroundings } from "./places.ts";
import { FolderSearch, isModelFile, stemOf } from "./search.ts";

/** The hub's answer has the model's card in it. */
const maxManifestBytes = 16 * MiB;

export function findLlamaCppModels(surroundings: Surroundings): FoundModels {
  const folder = llamaCppFolder(surroundings);
  const search = new FolderSearch();
  const names = search.names(folder);
  const known = new Map<string, ManifestName>();
  for (const name of names) {
    const manifest = manifestName(name);
    const file = manifest && fileOf(join(folder, name), manifest);
    if (manifest !== undefined && file !== undefined) known.set(file, manifest);
  }
  const models = names
    .filter(isModelFile)
    .map((name) => modelAt(join(folder, name), known.get(name)));
  return { models, notices: search.notices };
}

interface ManifestName {
  readonly repository: string;
  readonly tag: string;
}

function manifestName(name: string): ManifestName | undefined {
  const [, user, model, tag] = /^manifest=([^=]+)=([^=]+)=([^=]+)\.json$/.exec(name) ?? [];
  if (user === undefined || model === undefined || tag === undefined) return undefined;
  return { repository: `${user}/${model}`, tag };
}

/** The name in the cache of the file that a manifest is about. One that is broken names none: its file has a name too. */
function fileOf(path: string, { repository }: ManifestName): string | undefined {
  try {
    const manifest: unknown = JSON.parse(readTextFile(path, maxManifestBytes));
    const file = isRecord(manifest) ? manifest["ggufFile"] : undefined;
    const name = isRecord(file) ? file["rfilename"] : undefined;
    return typeof name === "string" ? `${repository}_${name}`.replaceAll("/", "_") : undefined;
  } catch (error) {
    if (error instanceof HearthError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function modelAt(path: string, manifest: ManifestName | undefined): LocalModel {
  const stem = stemOf(basename(path));
  if (manifest === undefined) return { origin: "llama.cpp", name: stem, aliases: [], path };
  const { repository, tag } = manifest;
  return { origin: "llama.cpp", name: `${repository}:${tag}`, aliases: [repository, stem], path };
}
