/**
 * GGUF files in Hugging Face's cache, whoever fetched them: hearth, Python, or a newer llama.cpp, which gives LLAMA_CACHE
 * the same layout.
 */
import { basename } from "node:path";
import { OptionError } from "../core/errors.ts";
import { cachedRepositories } from "../hub/cache-layout.ts";
import { hubSettings } from "../hub/settings.ts";
import type { FoundModels, LocalModel, Origin } from "./local-model.ts";
import { llamaCppFolder, type Surroundings } from "./places.ts";
import { stemOf } from "./search.ts";

export function findHuggingFaceModels(surroundings: Surroundings): FoundModels {
  try {
    const { cacheFolder } = hubSettings(surroundings.env);
    return { models: modelsIn(cacheFolder, "hf"), notices: [] };
  } catch (error) {
    // Of an address that is none: nothing is asked of it here.
    if (!(error instanceof OptionError)) throw error;
    return {
      models: [],
      notices: [`Hugging Face's cache was not looked through: ${error.message}`],
    };
  }
}

/** Of `llama-cli -hf` since 2026, where LLAMA_CACHE is set. */
export function findLlamaCppRepositories(surroundings: Surroundings): FoundModels {
  return { models: modelsIn(llamaCppFolder(surroundings), "llama.cpp"), notices: [] };
}

/** Of a repository that is there at several commits, the latest of each quantisation. */
function modelsIn(cacheFolder: string, origin: Origin): readonly LocalModel[] {
  const models = new Map<string, LocalModel>();
  for (const { name: repository, revisions } of cachedRepositories(cacheFolder)) {
    for (const { quant, files } of revisions.flatMap((revision) => revision.models)) {
      const name = `${repository}:${quant}`;
      const [first] = files;
      if (first === undefined || models.has(name)) continue;
      const short = basename(repository);
      const aliases = [repository, short, `${short}:${quant}`, stemOf(basename(first.path))];
      models.set(name, { origin, name, aliases, path: first.file });
    }
  }
  return [...models.values()];
}
