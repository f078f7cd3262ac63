/**
 * Where the native addon lies, and loading it: the one that was compiled here, else the one of this system's package
 * (`@hearth-llm/linux-x64-gnu`, …), an optional dependency of the published package. What it exports: backends/addon.ts.
 */
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { packagePath } from "./package-root.ts";

export type LoadedNative =
  | {
      readonly kind: "loaded";
      /** From require: whoever knows the exports names their type. */
      // biome-ignore lint/suspicious/noExplicitAny: what require gives.
      readonly exports: any;
      /** "compiled here", or the package with its version: "@hearth-llm/linux-x64-gnu 0.1.0". */
      readonly origin: string;
    }
  /** `reason` is one line that says how to get it. */
  | { readonly kind: "missing"; readonly reason: string };

/** Works in a checkout and in a project that depends on hearth, whatever package manager installed it. */
const howToBuild = '"hearth build" compiles it (in a project: npx hearth build)';

export type FoundNative =
  | { readonly kind: "found"; readonly path: string; readonly origin: string }
  | { readonly kind: "missing"; readonly reason: string };

/** @throws HearthError in a bundle. */
export function loadNative(): LoadedNative {
  return loadNativeOf(thisSystem());
}

/** The same without loading it. */
export function findNative(): FoundNative {
  return findNativeOf(thisSystem());
}

function thisSystem(): NativeSystem {
  const { platform, arch } = process;
  return { root: packagePath("."), platform, arch, libc: libcOfProcess };
}

/** A hearth package, and the system that looks for its addon. */
export interface NativeSystem {
  readonly root: string;
  readonly platform: string;
  readonly arch: string;
  /** Of a Linux: asked only where packages for both are installed. */
  libc(): "gnu" | "musl";
}

export function loadNativeOf(system: NativeSystem): LoadedNative {
  const found = findNativeOf(system);
  if (found.kind === "missing") return found;
  const { path, origin } = found;
  try {
    return { kind: "loaded", exports: createRequire(path)(path), origin };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const reason = `the native addon (${origin}) does not load (${why}); ${howToBuild}`;
    return { kind: "missing", reason };
  }
}

function findNativeOf(system: NativeSystem): FoundNative {
  const built = join(system.root, "build/hearth.node");
  if (existsSync(built)) return { kind: "found", path: built, origin: "compiled here" };
  const wanted = wantedPackages(system);
  const installed = wanted.flatMap((one) => findPackage(system.root, one));
  const usable = installed.length > 1 ? installed.filter(isFor(system)) : installed;
  const [addon] = usable;
  if (addon === undefined) return { kind: "missing", reason: whyMissing(system, wanted) };
  const { name, version, found, path } = addon;
  if (found === version) return { kind: "found", path, origin: `${name} ${version}` };
  const reason = `the native addon's package ${name} is ${found}, and this hearth wants ${version}; ${howToInstall(addon)}`;
  return { kind: "missing", reason };
}

interface WantedPackage {
  readonly name: string;
  readonly version: string;
}

/** The packages for this system that ours names: none in a checkout, one, or on Linux one for each C library. */
function wantedPackages({ root, platform, arch }: NativeSystem): readonly WantedPackage[] {
  const manifest: { optionalDependencies?: Readonly<Record<string, string>> } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const system = `@hearth-llm/${platform}-${arch}`;
  return Object.entries(manifest.optionalDependencies ?? {})
    .filter(([name]) => [system, `${system}-gnu`, `${system}-musl`].includes(name))
    .map(([name, version]) => ({ name, version }));
}

function isFor(system: NativeSystem): (one: WantedPackage) => boolean {
  const libc = system.libc();
  return ({ name }) => name.endsWith(`-${libc}`);
}

interface InstalledPackage extends WantedPackage {
  /** Its version, which another package of the project may have asked for. */
  readonly found: string;
  readonly path: string;
}

function findPackage(root: string, wanted: WantedPackage): readonly InstalledPackage[] {
  try {
    const require = createRequire(join(root, "package.json"));
    const manifest = require.resolve(`${wanted.name}/package.json`);
    const { version }: { version: string } = JSON.parse(readFileSync(manifest, "utf8"));
    return [{ ...wanted, found: version, path: join(manifest, "../hearth.node") }];
  } catch {
    return [];
  }
}

function whyMissing(system: NativeSystem, wanted: readonly WantedPackage[]): string {
  const [first] = wanted.length > 1 ? wanted.filter(isFor(system)) : wanted;
  if (first === undefined) {
    return `the native addon is not built for ${system.platform}-${system.arch}; ${howToBuild}, with a C++ compiler`;
  }
  return `the native addon's package ${first.name} is not installed, as with --omit=optional; ${howToInstall(first)}`;
}

function howToInstall({ name, version }: WantedPackage): string {
  return `"npm install ${name}@${version}" brings it, or ${howToBuild}, with a C++ compiler`;
}

function libcOfProcess(): "gnu" | "musl" {
  const report: { header?: { glibcVersionRuntime?: string } } = process.report.getReport();
  return report.header?.glibcVersionRuntime === undefined ? "musl" : "gnu";
}
