/**
 * Models of LM Studio: `<publisher>/<model>/<file>.gguf` in its models folder, which is `models` in the folder of the
 * program unless its settings name another.
 */
import { isAbsolute, join, relative, sep } from "node:path";
import { isRecord } from "../core/check-options.ts";
import { FileAccessError, HearthError } from "../core/errors.ts";
import { MiB } from "../core/units.ts";
import { readTextFile } from "../io/open-file.ts";
import { type FoundModels, joinFound, type LocalModel } from "./local-model.ts";
import { lmStudioHomes, lmStudioPointer, type Surroundings } from "./places.ts";
import { FolderSearch, isModelFile, stemOf } from "./search.ts";

/** Settings have some ten kilobytes. */
const maxSettingsBytes = 4 * MiB;

export function findLmStudioModels(surroundings: Surroundings): FoundModels {
  const notices: string[] = [];
  const read = (path: string): string => readIfThere(path, notices);
  const pointed = read(lmStudioPointer(surroundings)).trim();
  const homes = [...(isAbsolute(pointed) ? [pointed] : []), ...lmStudioHomes(surroundings)];
  const folders = homes.map((home) => modelsFolder(home, read, notices));
  const search = new FolderSearch();
  const found = [...new Set(folders)].map((folder) => ({
    models: search.files(folder, isModelFile).map((path) => modelAt(path, folder)),
    notices: [],
  }));
  return joinFound([...found, { models: [], notices: [...notices, ...search.notices] }]);
}

/** "" where there is no file. */
function readIfThere(path: string, notices: string[]): string {
  try {
    return readTextFile(path, maxSettingsBytes);
  } catch (error) {
    if (!(error instanceof HearthError)) throw error;
    const isMissing = error instanceof FileAccessError && /^ENO(ENT|TDIR)$/.test(error.code);
    if (!isMissing) notices.push(error.message);
    return "";
  }
}

function modelsFolder(home: string, read: (path: string) => string, notices: string[]): string {
  const path = join(home, "settings.json");
  const usual = join(home, "models");
  const text = read(path);
  if (text === "") return usual;
  try {
    const settings: unknown = JSON.parse(text);
    const folder = isRecord(settings) ? settings["downloadsFolder"] : undefined;
    return typeof folder === "string" && isAbsolute(folder) ? folder : usual;
  } catch {
    notices.push(`${path} is not JSON: LM Studio's models were looked for in ${usual}`);
    return usual;
  }
}

function modelAt(path: string, folder: string): LocalModel {
  const parts = relative(folder, path).split(sep);
  const file = stemOf(parts.at(-1) ?? "");
  const name = [...parts.slice(0, -1), file].join("/");
  const model = parts.slice(0, -1);
  return { origin: "lmstudio", name, aliases: [file, model.join("/"), model.at(-1) ?? file], path };
}
