/**
 * Where this package lies: its native addon, threads, models and tools are found from there. A bundler moves the code
 * away from them, which is an error of its own and not a missing addon.
 */
import { fileURLToPath } from "node:url";
import { HearthError } from "./errors.ts";
import { ownPlace } from "./own-place.ts";

/** That file's place in the package: as a source, as it is built, and as it is built beside tools of the repository. */
const places = /\/build\/tools\/src\/core\/own-place\.js$|\/(?:src|dist)\/core\/own-place\.[jt]s$/;

/** The absolute path of a file or folder of the package. @throws HearthError as requireUnbundled. */
export function packagePath(path: string): string {
  return pathIn(unbundled(ownPlace), path);
}

/** `url`: of own-place.ts in the package. */
export function pathIn(url: string, path: string): string {
  return fileURLToPath(new URL(path, url.replace(places, "/")));
}

/**
 * A built module that a thread or a process of its own begins with: "devices/thread/worker.js". Undefined where hearth runs from
 * its sources, which Node 20 cannot start. @throws HearthError as requireUnbundled.
 */
export function builtModule(path: string): URL | undefined {
  const url = unbundled(ownPlace);
  return url.endsWith(".js") ? new URL(`../${path}`, url) : undefined;
}

/** @throws HearthError when this code is part of a bundle. */
export function requireUnbundled(): void {
  unbundled(ownPlace);
}

/** `url`: of the module that holds the code of own-place.ts. */
export function unbundled(url: string | undefined): string {
  if (url !== undefined && places.test(url)) return url;
  const bundle = url?.startsWith("file:") ? fileURLToPath(url) : (process.argv[1] ?? "a program");
  throw new HearthError(
    `hearth-llm was bundled into ${bundle}, where it cannot find its native addon, threads and models; keep the package ` +
      "external (esbuild: --external:hearth-llm; Rollup, Vite: external; webpack: externals), so that it is loaded from node_modules",
  );
}
