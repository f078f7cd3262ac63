/** What Ollama's clients ask of a model's file. Reading a header with a large vocabulary takes tenths of a second: kept. */
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { type Inspection, inspectModel, type ModelAbility, modelAbilities } from "../../index.ts";
import type { CatalogueEntry } from "../models/catalogue.ts";

interface FileFacts {
  readonly inspection: Inspection;
  readonly modifiedAt: string;
  /** Of path, size and time of change: a file with another content has another one. Its content is not read. */
  readonly digest: string;
}

export class KnownFiles {
  readonly #facts = new Map<string, FileFacts>();
  /** By the digests of their files. */
  readonly #abilities = new Map<string, readonly ModelAbility[]>();

  /** Undefined for a file that is gone, or none that can be read. */
  of({ path }: CatalogueEntry): FileFacts | undefined {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const digest = createHash("sha256")
      .update(`${path}\n${stat.size}\n${stat.mtimeMs}`)
      .digest("hex");
    const known = this.#facts.get(path);
    if (known?.digest === digest) return known;
    try {
      const facts = {
        inspection: inspectModel(path),
        modifiedAt: stat.mtime.toISOString(),
        digest,
      };
      this.#facts.set(path, facts);
      return facts;
    } catch {
      return undefined;
    }
  }

  /** None of a file that hearth cannot run. Its vocabulary is read for them. */
  abilitiesOf({ inspection, digest }: FileFacts): readonly ModelAbility[] {
    if (!inspection.runs) return [];
    const known = this.#abilities.get(digest) ?? modelAbilities(inspection.path);
    this.#abilities.set(digest, known);
    return known;
  }
}

/** "details" of tags, show and ps. */
export function detailsOf({ architecture, parameters, fileType }: Inspection): object {
  return {
    parent_model: "",
    format: "gguf",
    family: architecture,
    families: [architecture],
    parameter_size: parameterSize(parameters),
    quantization_level: fileType,
  };
}

/** "8.0B", "135M". */
function parameterSize(parameters: number): string {
  if (parameters >= 1e9) return `${(parameters / 1e9).toFixed(1)}B`;
  return parameters >= 1e6
    ? `${(parameters / 1e6).toFixed(0)}M`
    : `${(parameters / 1e3).toFixed(0)}K`;
}
