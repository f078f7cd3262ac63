/**
 * Every package that a release publishes, made on this one machine: the addons of all systems or of those named, one after
 * the other, then tarballs of them, of hearth-llm and of the GPU's parts.
 *   npm run build:packages [-- PLATFORM...] [--serve]     --serve: then a registry of our scope, until it is ended
 * Needs Python with pip, which brings zig, or ZIG, which names its program. Results: build/packages/tarballs.
 */
import { relative } from "node:path";
import { packagePath } from "../src/core/package-root.ts";
import { buildAddons } from "./packages/build-addons.ts";
import { packedTable } from "./packages/packed-table.ts";
import { platforms, scope } from "./packages/platforms.ts";
import { serveScope } from "./packages/scope-registry.ts";
import { packagesFolder, readManifest, stagePackages } from "./packages/stage.ts";

async function main(list: readonly string[]): Promise<number> {
  const names = list.filter((one) => one !== "--serve");
  const known = platforms.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`build:packages: unknown platform "${unknown}"; known: ${known.join(", ")}`);
    return 2;
  }
  const of = platforms.filter(({ name }) => names.length === 0 || names.includes(name));
  buildAddons(of.map(({ name }) => name));
  const packed = await stagePackages(readManifest(packagePath(".")), { of });
  console.log(packedTable(packed));
  console.log(`tarballs: ${relative(process.cwd(), packagesFolder)}/tarballs`);
  if (names.length < list.length) {
    // Its listening socket keeps the process.
    const { url } = await serveScope(packed);
    console.log(`.npmrc of a project that installs hearth-llm's tarball: ${scope}:registry=${url}`);
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
