/** Lays every package of a release out in build/packages/stage, and packs it into build/packages/tarballs. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { packagePath } from "../../src/core/package-root.ts";
import { bundleModules } from "./bundle.ts";
import {
  addonManifest,
  gpuManifest,
  gpuPlatformManifest,
  type Manifest,
  mainManifest,
} from "./manifests.ts";
import { type Platform, platforms } from "./platforms.ts";

/** A package as it would be published. */
export interface PackedPackage {
  readonly manifest: Manifest;
  /** The folder that was packed. */
  readonly folder: string;
  readonly tarball: string;
  readonly integrity: string;
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  readonly files: readonly string[];
}

export const packagesFolder: string = packagePath("build/packages");

export interface StageOptions {
  /** Whose addons are packed; all by default. hearth-llm names all of them in any case. */
  readonly of?: readonly Platform[];
  /** What CHANGELOG.md is at the release; that of the repository by default. */
  readonly changelog?: string;
}

/** In the order of publishing: whatever a package names is there before it. `own`: the repository's package.json. */
export async function stagePackages(
  own: Manifest,
  { of = platforms, changelog }: StageOptions = {},
): Promise<readonly PackedPackage[]> {
  for (const name of ["stage", "tarballs"]) {
    rmSync(join(packagesFolder, name), { recursive: true, force: true });
    mkdirSync(join(packagesFolder, name), { recursive: true });
  }
  const webgpu = readManifest(packagePath("node_modules/webgpu"));
  const main = await stageMain(mainManifest(own, webgpu.version), changelog);
  return [...stageGpu(own, webgpu), ...of.map((platform) => stageAddon(own, platform)), main];
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** The libraries inside an addon that zig linked into it, and where their licences lie in zig's folder. */
const linkedLicences = [
  ["LICENSE-libcxx.txt", "libcxx/LICENSE.TXT", () => true],
  ["LICENSE-mingw-w64.txt", "libc/mingw/COPYING", (os: string) => os === "win32"],
] as const;

function stageAddon(own: Manifest, platform: Platform): PackedPackage {
  const folder = stageFolder(addonManifest(own, platform));
  cpSync(join(packagesFolder, platform.name, "hearth.node"), join(folder, "hearth.node"));
  cpSync(packagePath("LICENSE"), join(folder, "LICENSE"));
  for (const [name, source, isIn] of linkedLicences) {
    if (isIn(platform.os)) cpSync(join(zigLibrary(), source), join(folder, name));
  }
  return pack(folder);
}

function zigLibrary(): string {
  const zig = process.env["ZIG"];
  return zig === undefined ? packagePath("build/cross/zig/ziglang/lib") : join(zig, "../lib");
}

/** The parts of webgpu are its own files: index.js looks for the folder of its system, and finds that one alone. */
function stageGpu(own: Manifest, webgpu: Manifest): readonly PackedPackage[] {
  const source = packagePath("node_modules/webgpu");
  const systems = readdirSync(join(source, "dist"));
  const parts = systems.map((system) => {
    const folder = stageFolder(gpuPlatformManifest(own, webgpu, system));
    for (const name of ["index.js", "LICENSE.md", `dist/${system}`]) {
      cpSync(join(source, name), join(folder, name), { recursive: true });
    }
    return pack(folder);
  });
  const folder = stageFolder(gpuManifest(own, webgpu, systems));
  cpSync(join(source, "LICENSE.md"), join(folder, "LICENSE.md"));
  cpSync(packagePath("tools/packages/gpu-index.mjs"), join(folder, "index.js"));
  return [...parts, pack(folder)];
}

async function stageMain(manifest: Manifest, changelog?: string): Promise<PackedPackage> {
  const folder = stageFolder(manifest);
  for (const name of npmPack(packagePath("."), ["--dry-run"]).files) {
    if (name === "package.json" || isLeftOut(name)) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    cpSync(packagePath(name), join(folder, name));
  }
  if (changelog !== undefined) writeFileSync(join(folder, "CHANGELOG.md"), changelog);
  await bundleModules(packagePath("dist"), join(folder, "dist"));
  return pack(folder);
}

/** Of dist: the modules, which bundle.ts lays out anew, and types that no entry reaches (tools/commonjs-types.mjs). */
function isLeftOut(name: string): boolean {
  const [, path, ending] = /^dist\/(?!commonjs\/)(.*)\.(js|d\.ts)$/.exec(name) ?? [];
  if (path === undefined) return false;
  if (ending === "js") return existsSync(packagePath(`dist/${path}.d.ts`));
  return !existsSync(packagePath(`dist/commonjs/${path}.d.ts`));
}

function stageFolder(manifest: Manifest): string {
  const folder = join(packagesFolder, "stage", manifest.name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  return folder;
}

function pack(folder: string): PackedPackage {
  const target = join(packagesFolder, "tarballs");
  const { filename, ...packed } = npmPack(folder, ["--pack-destination", target]);
  return { ...packed, manifest: readManifest(folder), folder, tarball: join(target, filename) };
}

type Packed = Omit<PackedPackage, "manifest" | "folder" | "tarball"> & {
  readonly filename: string;
};

function npmPack(folder: string, flags: readonly string[]): Packed {
  const output = execFileSync("npm", ["pack", "--json", "--ignore-scripts", ...flags], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [packed] = JSON.parse(output);
  return {
    filename: packed.filename,
    integrity: packed.integrity,
    packedBytes: packed.size,
    unpackedBytes: packed.unpackedSize,
    files: packed.files.map(({ path }: { path: string }) => path),
  };
}
