/** Short names for models: `models/catalogue.json` of this package says which repository each stands for, and nothing else. */
import { isRecord } from "../core/check-options.ts";
import { FileFormatError } from "../core/errors.ts";
import { packagePath } from "../core/package-root.ts";
import { readTextFile } from "../io/open-file.ts";

/** Repositories by short name, in the order of the file. @throws FileFormatError for a file that is no catalogue */
export function readCatalogue(): ReadonlyMap<string, string> {
  const file = packagePath("models/catalogue.json");
  const names: unknown = JSON.parse(readTextFile(file));
  if (!isRecord(names)) {
    throw new FileFormatError({
      file,
      where: "catalogue",
      found: typeof names,
      expected: "an object",
    });
  }
  return new Map(Object.entries(names).map(([name, repository]) => [name, String(repository)]));
}
