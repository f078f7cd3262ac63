/** From a name that a user typed to the one model that it means. */
import { statSync } from "node:fs";
import { editDistance } from "../core/edit-distance.ts";
import { OptionError } from "../core/errors.ts";
import { fullName, type LocalModel, origins } from "./local-model.ts";

/** "ollama:…": a model of that program and no other. */
export function hasOrigin(word: string): boolean {
  return origins.some((origin) => word.startsWith(`${origin}:`));
}

/**
 * The model of this name. Its own name, with its origin or without, goes before shorter ones; names of one file are one model.
 * Undefined where none has it. @throws OptionError where several have.
 */
export function modelNamed(word: string, models: readonly LocalModel[]): LocalModel | undefined {
  const named = oneFileEach(models.filter((model) => answersTo(ownNames(model), word)));
  const meant = named.length > 0 ? named : oneFileEach(models.filter(hasAlias(word)));
  if (meant.length <= 1) return meant[0];
  const choices = meant.map(fullName).join(" or ");
  const message = `model: several are called "${word}"; give ${choices}`;
  throw new OptionError("model", `"${word}"`, choices, message);
}

/** Full names of the models that may have been meant, the nearest first; at most three. */
export function nearNames(word: string, models: readonly LocalModel[]): readonly string[] {
  const farthest = Math.max(2, word.length / 3);
  const distances = models.map((model) => ({
    name: fullName(model),
    distance: Math.min(...allNames(model).map((name) => distanceTo(name, word))),
  }));
  return distances
    .filter(({ distance }) => distance <= farthest)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => name);
}

/** One that is part of the other is near: "llama" of "llama3.2:1b". */
function distanceTo(name: string, word: string): number {
  return word.length >= 3 && name.toLowerCase().includes(word.toLowerCase())
    ? 1
    : editDistance(name, word);
}

/** The tag of Ollama that nobody types. */
const usualTag = /:latest$/;

function ownNames(model: LocalModel): readonly string[] {
  const { name } = model;
  const names = usualTag.test(name) ? [name, name.replace(usualTag, "")] : [name];
  return names.flatMap((one) => [one, `${model.origin}:${one}`]);
}

function hasAlias(word: string): (model: LocalModel) => boolean {
  return ({ origin, aliases }) =>
    answersTo(
      aliases.flatMap((alias) => [alias, `${origin}:${alias}`]),
      word,
    );
}

function allNames(model: LocalModel): readonly string[] {
  return [...ownNames(model), ...model.aliases];
}

function answersTo(names: readonly string[], word: string): boolean {
  return names.some((name) => name.toLowerCase() === word.toLowerCase());
}

/** Two names of one file, as two tags of Ollama or a link from one program's folder to another's. */
function oneFileEach(models: readonly LocalModel[]): readonly LocalModel[] {
  const files = new Map<string, LocalModel>();
  for (const model of models) {
    const key = fileKey(model);
    if (!files.has(key)) files.set(key, model);
  }
  return [...files.values()];
}

function fileKey(model: LocalModel): string {
  try {
    const { dev, ino } = statSync(model.path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return fullName(model);
  }
}
