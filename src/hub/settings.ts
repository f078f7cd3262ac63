/**
 * Where the hub is and where its files are kept, by the environment variables of Python's huggingface_hub, so that both
 * mean the same place: HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE and their older names.
 * Source: huggingface_hub 2.4.0, constants.py and utils/_auth.py.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { OptionError } from "../core/errors.ts";
import { type Bytes, KiB } from "../core/units.ts";
import { readTextFile } from "../io/open-file.ts";

export interface HubSettings {
  /** An origin, perhaps with a path; no slash at its end. */
  readonly endpoint: string;
  /** Holds `models--OWNER--NAME` folders. It need not exist. */
  readonly cacheFolder: string;
  /** Sent to the endpoint alone, never to where it redirects. */
  readonly token: string | undefined;
  /** No request is made. */
  readonly isOffline: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws OptionError for an HF_ENDPOINT that is no address. */
export function hubSettings(environment: Environment = process.env): HubSettings {
  const of = (...names: readonly string[]): string | undefined =>
    names.map((name) => environment[name]).find((value) => value !== undefined && value !== "");
  const path = (value: string): string => expand(value, environment);
  const cacheRoot = of("XDG_CACHE_HOME") ?? join(homedir(), ".cache");
  const home = path(of("HF_HOME") ?? join(cacheRoot, "huggingface"));
  return {
    endpoint: endpointOf(of("HF_ENDPOINT") ?? "https://huggingface.co"),
    cacheFolder: path(of("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(home, "hub")),
    token: tokenOf(
      of("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
      path(of("HF_TOKEN_PATH") ?? join(home, "token")),
    ),
    isOffline: isTrue(of("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
  };
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new OptionError("HF_ENDPOINT", text, "an address such as https://huggingface.co");
  }
  return text.replace(/\/+$/, "");
}

/** As Python's os.path.expanduser and expandvars: ~, $NAME and ${NAME}. */
function expand(path: string, environment: Environment): string {
  return path
    .replace(/^~(?=$|[/\\])/, () => homedir())
    .replaceAll(
      /\$(?:(\w+)|\{(\w+)\})/g,
      (text, bare: string | undefined, braced: string | undefined) =>
        environment[bare ?? braced ?? ""] ?? text,
    );
}

/** A token has some forty characters. */
const maxTokenFile: Bytes = 16 * KiB;

/** A token file that is not there or cannot be read is no token; the hub says so where one is needed. */
function tokenOf(given: string | undefined, file: string): string | undefined {
  const token = given ?? readIfThere(file);
  const trimmed = token?.replaceAll(/[\r\n]/g, "").trim();
  return trimmed === "" ? undefined : trimmed;
}

function readIfThere(file: string): string | undefined {
  try {
    return readTextFile(file, maxTokenFile);
  } catch {
    return undefined;
  }
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && /^(1|on|yes|true)$/i.test(value);
}
