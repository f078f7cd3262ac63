/** All models of this machine that hearth knows how to find. Nothing is read of them but what folders and manifests say. */
import { packagePath } from "../core/package-root.ts";
import { findHuggingFaceModels, findLlamaCppRepositories } from "./hugging-face.ts";
import { findLlamaCppModels } from "./llama-cpp.ts";
import { findLmStudioModels } from "./lm-studio.ts";
import { type FoundModels, joinFound, type LocalModel } from "./local-model.ts";
import { findOllamaModels } from "./ollama.ts";
import type { Surroundings } from "./places.ts";

/** The model that comes with hearth, for trying things out. */
function bundledModel(): LocalModel {
  return {
    origin: "hearth",
    name: "bundled",
    aliases: ["default"],
    path: packagePath("models/default.gguf"),
  };
}

export function findModels(surroundings: Surroundings): FoundModels {
  return joinFound([
    { models: [bundledModel()], notices: [] },
    findHuggingFaceModels(surroundings),
    findOllamaModels(surroundings),
    findLmStudioModels(surroundings),
    findLlamaCppModels(surroundings),
    findLlamaCppRepositories(surroundings),
  ]);
}
