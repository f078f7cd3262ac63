/**
 * Where other programs keep their models, by their own rules: environment variables first, then the folders of the
 * system. Sources: ollama envconfig/config.go and its FAQ; llama.cpp common/common.cpp (fs_get_cache_directory);
 * LM Studio's documentation of its models directory, and the pointer file that its programs read at start.
 */
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";

/** What decides about folders; tests make one up. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly platform: string;
}

export function ownSurroundings(): Surroundings {
  return { env: process.env, home: homedir(), platform: process.platform };
}

/** Folders with `manifests` and `blobs`. The service of Linux has a home of its own, whoever asks. */
export function ollamaFolders({ env, home, platform }: Surroundings): readonly string[] {
  const own = named(env["OLLAMA_MODELS"]) ?? join(home, ".ollama", "models");
  const service = platform === "linux" ? ["/usr/share/ollama/.ollama/models"] : [];
  return [...new Set([own, ...service])];
}

/** Folders of LM Studio itself: with `settings.json` and, unless that names another place, `models`. */
export function lmStudioHomes({ home }: Surroundings): readonly string[] {
  return [join(home, ".lmstudio"), join(home, ".cache", "lm-studio")];
}

/** Its one line is LM Studio's folder, where that was moved. */
export function lmStudioPointer({ home }: Surroundings): string {
  return join(home, ".lmstudio-home-pointer");
}

export function llamaCppFolder({ env, home, platform }: Surroundings): string {
  return named(env["LLAMA_CACHE"]) ?? join(cacheFolder({ env, home, platform }), "llama.cpp");
}

function cacheFolder({ env, home, platform }: Surroundings): string {
  if (platform === "darwin") return join(home, "Library", "Caches");
  if (platform === "win32") return named(env["LOCALAPPDATA"]) ?? join(home, "AppData", "Local");
  return named(env["XDG_CACHE_HOME"]) ?? join(home, ".cache");
}

/** A folder that a user named; an empty variable is one that is not set. */
function named(folder: string | undefined): string | undefined {
  if (folder === undefined || folder.trim() === "") return undefined;
  return isAbsolute(folder) ? folder : resolve(folder);
}
