/** From what a user typed for a model, a path or a name, to the path of its file. */
import { existsSync } from "node:fs";
import { isAbsolute } from "node:path";
import { checkValue, textRule } from "../core/check-options.ts";
import { OptionError, UnsupportedError } from "../core/errors.ts";
import { findModels } from "../local-models/find-models.ts";
import { fullName, type LocalModel } from "../local-models/local-model.ts";
import { hasOrigin, modelNamed, nearNames } from "../local-models/model-name.ts";
import { ownSurroundings } from "../local-models/places.ts";

export interface ResolvedModel {
  readonly path: string;
  /** By which it was found; absent for a path. */
  readonly id?: string;
  /** What a user who runs it should know. One sentence. */
  readonly notice?: string;
}

/**
 * A path stays as it is, whether or not there is a file. A name is that of a model that `hearth list` shows: with its
 * origin ("ollama:llama3.2:1b"), or without where no other model has it.
 * @throws OptionError for a name that no model has, or several; UnsupportedError for a model that its program keeps in no
 * form that hearth can read.
 */
export function resolveModel(word: string): ResolvedModel {
  const { found, models } = lookUp(word);
  if (found !== undefined) return found;
  throw noSuchModel(word, models);
}

/** The same, but undefined for a name that no model has. @throws as resolveModel otherwise */
export function findModel(word: string): ResolvedModel | undefined {
  return lookUp(word).found;
}

/** `models`: those on this machine, which are looked for where a name is given. */
function lookUp(word: string): {
  readonly found: ResolvedModel | undefined;
  readonly models: readonly LocalModel[];
} {
  checkValue(word, "model", textRule);
  if (!hasOrigin(word) && isPath(word)) return { found: { path: word }, models: [] };
  const { models } = findModels(ownSurroundings());
  const model = modelNamed(word, models);
  return { found: model && usable(model), models };
}

function usable(model: LocalModel): ResolvedModel {
  if (model.problem !== undefined) {
    throw new UnsupportedError(
      fullName(model),
      ["models that hearth list shows as running"],
      `${fullName(model)}: ${model.problem}`,
    );
  }
  const { path, notice } = model;
  return { path, id: fullName(model), ...(notice !== undefined && { notice }) };
}

/** What is written as a path, or leads to something. */
function isPath(word: string): boolean {
  return isAbsolute(word) || /^\.{1,2}[\\/]|\.gguf$|^[a-z]+:\/\//i.test(word) || existsSync(word);
}

function noSuchModel(word: string, models: readonly LocalModel[]): OptionError {
  const near = nearNames(word, models);
  const hint =
    near.length > 0
      ? `did you mean ${near.join(" or ")}?`
      : `hearth list shows what is here, hearth pull fetches others${/^[\w.-]+\/[\w.-]+/.test(word) ? `, and hf:${word} is a repository on Hugging Face` : ""}`;
  const found = `"${word}"`;
  return new OptionError(
    "model",
    found,
    "a GGUF file or the name of a model that hearth list shows",
    `model: ${found} is neither a file nor a model on this machine; ${hint}`,
  );
}
