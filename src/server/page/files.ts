/**
 * The files of the page as `npm run build` leaves them in dist/page. Their names are read once, so that no request names a
 * path; each is read and compressed when it is first asked for.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { packagePath } from "../../core/package-root.ts";

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
  /** The same, compressed. */
  readonly gzip: Buffer;
  readonly etag: string;
}

export interface PageFiles {
  /** Undefined for a name that the page does not have. */
  file(name: string): PageFile | undefined;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
};

/** Undefined where the page was not built: a checkout after the compiler alone. */
export function pageFiles(folder: string = packagePath("dist/page")): PageFiles | undefined {
  const names = namesIn(folder);
  if (!names.has("index.html")) return undefined;
  const read = new Map<string, PageFile>();
  return {
    file(name) {
      if (!names.has(name)) return undefined;
      const known = read.get(name) ?? readPageFile(folder, name);
      read.set(name, known);
      return known;
    },
  };
}

function namesIn(folder: string): ReadonlySet<string> {
  try {
    return new Set(readdirSync(folder));
  } catch {
    return new Set();
  }
}

function readPageFile(folder: string, name: string): PageFile {
  const bytes = readFileSync(join(folder, name));
  const digest = createHash("sha256").update(bytes).digest("base64url");
  return {
    type: types[extname(name)] ?? "application/octet-stream",
    bytes,
    gzip: gzipSync(bytes),
    etag: `"${digest}"`,
  };
}
