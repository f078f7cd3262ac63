/**
 * Models of Ollama. `manifests/<registry>/<namespace>/<model>/<tag>` is a JSON file that lists layers by digest; the layer
 * of the weights is the blob `blobs/sha256-<hex>`, a plain GGUF. Newer versions link manifests from `manifests-v2` and may
 * list one manifest for each runner. Source: ollama manifest/manifest.go, manifest/paths.go, types/model/name.go.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { isRecord } from "../core/check-options.ts";
import { counted } from "../core/counted.ts";
import { HearthError } from "../core/errors.ts";
import { MiB } from "../core/units.ts";
import { readTextFile } from "../io/open-file.ts";
import { type FoundModels, joinFound, type LocalModel } from "./local-model.ts";
import { ollamaFolders, type Surroundings } from "./places.ts";
import { FolderSearch } from "./search.ts";

/** A model of one file takes 1 KiB, one of some thousand tensors half a MiB. */
const maxManifestBytes = 4 * MiB;
const defaultRegistries: readonly string[] = ["registry.ollama.ai", "ollama.com"];
const listType = "application/vnd.ollama.manifest.list.v2+json";
const layerType = "application/vnd.ollama.image.";

export function findOllamaModels(surroundings: Surroundings): FoundModels {
  return joinFound(ollamaFolders(surroundings).map(modelsIn));
}

function modelsIn(folder: string): FoundModels {
  const search = new FolderSearch();
  const byName = new Map<string, LocalModel>();
  for (const manifests of ["manifests-v2", "manifests"]) {
    for (const parts of manifestsIn(join(folder, manifests), search)) {
      const name = nameOf(parts);
      if (byName.has(name)) continue;
      const path = join(folder, manifests, ...parts);
      byName.set(name, { ...describe(name), ...readManifest(path, folder) });
    }
  }
  return { models: [...byName.values()], notices: search.notices };
}

/** Registry, namespace, model, tag: always four levels. */
function manifestsIn(root: string, search: FolderSearch, depth = 4): readonly string[][] {
  if (depth === 0) return [[]];
  return search
    .names(root)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      manifestsIn(join(root, name), search, depth - 1).map((rest) => [name, ...rest]),
    );
}

/** As `ollama list` shows it: the registry and the namespace are left out where they are the usual ones. */
function nameOf([registry = "", namespace = "", model = "", tag = ""]: readonly string[]): string {
  const name = `${model}:${tag}`;
  if (!defaultRegistries.includes(registry)) return `${registry}/${namespace}/${name}`;
  return namespace === "library" ? name : `${namespace}/${name}`;
}

function describe(name: string): Pick<LocalModel, "origin" | "name" | "aliases"> {
  const [model = ""] = name.split(/:[^:]*$/);
  return { origin: "ollama", name, aliases: [model] };
}

type Content = Pick<LocalModel, "path" | "problem" | "notice">;

function readManifest(path: string, folder: string): Content {
  try {
    return contentOf(parseManifest(path), folder);
  } catch (error) {
    if (error instanceof HearthError || error instanceof SyntaxError) {
      return { path: "", problem: `its manifest cannot be read: ${error.message}` };
    }
    throw error;
  }
}

function parseManifest(path: string): unknown {
  return JSON.parse(readTextFile(path, maxManifestBytes));
}

function contentOf(manifest: unknown, folder: string): Content {
  const layers = layersOf(chosenManifest(manifest, folder));
  if (layers === undefined) return { path: "", problem: "its manifest has no list of layers" };
  const of = (kind: string): readonly Layer[] =>
    layers.filter(({ mediaType }) => mediaType === layerType + kind);
  const [weights, ...others] = of("model");
  if (weights === undefined) {
    const isTensors = of("tensor").length > 0;
    return {
      path: "",
      problem: isTensors
        ? "its weights are safetensors, not GGUF"
        : "its manifest names no weights (a model that runs elsewhere?)",
    };
  }
  if (others.length > 0) {
    return { path: "", problem: `its weights are ${counted(others.length + 1, "blob")}, not one` };
  }
  if (of("adapter").length > 0) {
    return { path: "", problem: "it has an adapter (LoRA), without which it is another model" };
  }
  const path = blobPath(weights.digest, folder);
  if (path === undefined) {
    return {
      path: "",
      problem: `its manifest names a blob "${String(weights.digest)}", which is no sha256`,
    };
  }
  const settings = ["template", "params", "system", "messages"].filter(
    (kind) => of(kind).length > 0,
  );
  const notices = [
    ...(settings.length > 0 ? [settingsNotice(settings)] : []),
    ...(of("projector").length > 0 ? ["its projector is not used: it reads no images here"] : []),
  ];
  return {
    path,
    ...(!existsSync(path) && { problem: `its weights are not there (${path})` }),
    ...(notices.length > 0 && { notice: notices.join("; ") }),
  };
}

function settingsNotice(kinds: readonly string[]): string {
  return `Ollama's own settings of this model (${kinds.join(", ")}) are not used: the chat template is the one in the file`;
}

/** Of a list, the manifest whose weights are a GGUF; it may be a blob of its own. */
function chosenManifest(manifest: unknown, folder: string): unknown {
  if (!isRecord(manifest) || manifest["mediaType"] !== listType) return manifest;
  const { manifests } = manifest;
  const choices = Array.isArray(manifests) ? manifests.filter(isRecord) : [];
  const isGguf = ({ format, runner }: Readonly<Record<string, unknown>>): boolean =>
    format === "gguf" || (format === undefined && runner !== "mlx");
  const choice = choices.find(isGguf) ?? choices[0];
  if (choice === undefined || Array.isArray(choice["layers"])) return choice;
  const path = blobPath(choice["digest"], folder);
  return path === undefined ? choice : parseManifest(path);
}

interface Layer {
  readonly mediaType: unknown;
  readonly digest: unknown;
}

function layersOf(manifest: unknown): readonly Layer[] | undefined {
  if (!isRecord(manifest) || !Array.isArray(manifest["layers"])) return undefined;
  return manifest["layers"]
    .filter(isRecord)
    .map(({ mediaType, digest }) => ({ mediaType, digest }));
}

/** Undefined for what is no digest: a path in its place would lead anywhere. */
function blobPath(digest: unknown, folder: string): string | undefined {
  const match = typeof digest === "string" && /^sha256[:-]([0-9a-f]{64})$/i.exec(digest);
  return match ? join(folder, "blobs", `sha256-${match[1]?.toLowerCase()}`) : undefined;
}
