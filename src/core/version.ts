/** Versions as package.json files name them. */
import { readFileSync } from "node:fs";
import { packagePath } from "./package-root.ts";

/** Of this package. */
export function ownVersion(): string {
  return manifestVersion(packagePath("package.json"));
}

/** Of the package whose package.json lies there; "unknown" where it names none. */
export function manifestVersion(path: string | URL): string {
  const manifest: unknown = JSON.parse(readFileSync(path, "utf8"));
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}
