/**
 * Where this package lies: its native addon, threads, models and tools are found from there. A bundler moves the code
 * away from them, which is an error of its own and not a missing addon.
 */
import { fileURLToPath } from "node:url";
import { HearthError } from "./errors.ts";

/** Undefined in a bundle of CommonJS, which has no import.meta. */
const here: string | undefined = import.meta.url;

/** This file's place in the package: as a source, as it is built, and as it is built beside tools of the repository. */
const ownPlace =
  /\/build\/tools\/src\/core\/package-root\.js$|\/(?:src|dist)\/core\/package-root\.[jt]s$/;

/** The absolute path of a file or folder of the package. @throws HearthError as requireUnbundled. */
export function packagePath(path: string): string {
  return pathIn(unbundled(here), path);
}

/** `url`: of this file in the package. */
export function pathIn(url: string, path: string): string {
  return fileURLToPath(new URL(path, url.replace(ownPlace, "/")));
}

/** @throws HearthError when this code is part of a bundle. */
export function requireUnbundled(): void {
  unbundled(here);
}

/** `url`: of the module that holds this code. */
export function unbundled(url: string | undefined): string {
  if (url !== undefined && ownPlace.test(url)) return url;
  const bundle = url?.startsWith("file:") ? fileURLToPath(url) : (process.argv[1] ?? "a program");
  throw new HearthError(
    `hearth-llm was bundled into ${bundle}, where it cannot find its native addon, threads and models; keep the package ` +
      "external (esbuild: --external:hearth-llm; Rollup, Vite: external; webpack: externals), so that it is loaded from node_modules",
  );
}
