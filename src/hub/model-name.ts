/**
 * How a model on the hub is named: `OWNER/NAME`, `hf:OWNER/NAME:Q4_K_M`, an address copied from a browser, or a short name of the
 * catalogue such as `qwen3:8b`.
 */
import { OptionError } from "../core/errors.ts";
import { readCatalogue } from "./catalogue.ts";

export interface HubName {
  /** "owner/name". */
  readonly repository: string;
  /** A branch, a tag or a commit; "main" where none was given. */
  readonly revision: string;
  /** "Q4_K_M" in any case, or the path of a file; undefined where the choice is open. */
  readonly quant: string | undefined;
}

const expected =
  "OWNER/NAME or OWNER/NAME:QUANT of a repository, its address, or a short name such as qwen3:8b";

/** Whether a text can only mean a model on the hub, never a file: `hf:…`, or an address of the hub. */
export function isHubName(text: string): boolean {
  return /^(hf:|hf\.co\/|https?:\/\/(huggingface\.co|hf\.co)\/)/i.test(text);
}

/** Whether the catalogue has the text, or what stands before its last colon: `qwen3:8b`, `qwen3:8b:Q8_0`. */
export function isShortName(text: string): boolean {
  return byShortName(text) !== undefined;
}

/** @throws OptionError for what names no model; it lists short names that are near */
export function parseHubName(text: string): HubName {
  const plain = text
    .trim()
    .replace(/^hf:(\/\/)?/i, "")
    .replace(/^(https?:\/\/)?(huggingface\.co|hf\.co)\//i, "");
  return parseAddress(plain) ?? parseRepository(plain) ?? parseShortName(plain, text);
}

const repository = "[A-Za-z0-9][\\w.-]*/[A-Za-z0-9][\\w.-]*";

/** What a browser shows: OWNER/NAME/blob/main/FILE, OWNER/NAME/resolve/main/FILE?download=true, OWNER/NAME/tree/main. */
function parseAddress(text: string): HubName | undefined {
  const pattern = new RegExp(`^(${repository})/(?:blob|resolve|tree)/([^/?#]+)(?:/([^?#]*))?`);
  const [, name, revision, path] = pattern.exec(text) ?? [];
  if (name === undefined || revision === undefined) return undefined;
  const file = path === undefined || path === "" ? undefined : decodeURIComponent(path);
  return { repository: name, revision: decodeURIComponent(revision), quant: file };
}

function parseRepository(text: string): HubName | undefined {
  const pattern = new RegExp(`^(${repository})(?:@([\\w./-]+))?(?::([\\w./ -]+))?/?$`);
  const [, name, revision = "main", quant] = pattern.exec(text) ?? [];
  return name === undefined ? undefined : { repository: name, revision, quant };
}

function parseShortName(short: string, text: string): HubName {
  const found = byShortName(short);
  if (found !== undefined) return found;
  const names = [...readCatalogue().keys()];
  const family = (short.split(":")[0] ?? "").toLowerCase();
  const near = names.filter((name) => family !== "" && name.startsWith(family.slice(0, 4)));
  const shown = near.length > 0 ? near : names.filter((name) => !name.includes(":"));
  throw new OptionError("model", `"${text}"`, `${expected} (${shown.join(", ")})`);
}

/** NAME of the catalogue, or NAME:QUANT. */
function byShortName(text: string): HubName | undefined {
  const catalogue = readCatalogue();
  const exact = catalogue.get(text.toLowerCase());
  if (exact !== undefined) return { repository: exact, revision: "main", quant: undefined };
  const [, name = "", quant = ""] = /^(.*):([^:]+)$/.exec(text) ?? [];
  const general = catalogue.get(name.toLowerCase());
  // "qwen3:9b" is a size that is not there, not a quantisation of the size that "qwen3" stands for.
  if (general === undefined || /^\d+(\.\d+)?[bm]\b/i.test(quant)) return undefined;
  return { repository: general, revision: "main", quant };
}
