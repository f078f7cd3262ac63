/**
 * The packages for this system and those that it can imitate, run: kernel tests for every instruction set, the command line
 * and the golden answers. Then `hearth build` where npm finds no addon. By hand: it takes many minutes, and wants what
 * emulators.ts says.
 *   npm run prove:packages
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { packagePath } from "../src/core/package-root.ts";
import { buildAddons, buildKernelTests } from "./packages/build-addons.ts";
import { tryCompiling } from "./packages/compile-trial.ts";
import { type Emulator, emulators } from "./packages/emulators.ts";
import { platforms } from "./packages/platforms.ts";
import { smokeAll } from "./packages/smoke.ts";
import { readManifest, stagePackages } from "./packages/stage.ts";

async function main(flags: readonly string[]): Promise<number> {
  if (flags.length > 0) {
    console.error("usage: npm run prove:packages");
    return 2;
  }
  const usable = emulators.filter((emulator) => emulator.missing() === undefined);
  if (usable.length === 0) {
    console.error("prove:packages: this machine has no emulator; see tools/packages/emulators.ts");
    return 1;
  }
  const of = platforms.filter(({ name }) => usable.some(({ platform }) => platform === name));
  buildAddons(of.map(({ name }) => name));
  for (const emulator of usable) await proveKernels(emulator);
  const packed = await stagePackages(readManifest(packagePath(".")), { of });
  for (const line of await smokeAll(packed)) console.log(line);
  for (const line of await tryCompiling(packed)) console.log(line);
  return 0;
}

/** Each program says how many checks it made with which kernels, and ends with an error where one failed. */
async function proveKernels(emulator: Emulator): Promise<void> {
  const folder = buildKernelTests(emulator.platform);
  const tests = readdirSync(packagePath("native/test")).filter((name) => name.endsWith("_test.cc"));
  for (const test of tests) {
    const ending = emulator.platform.startsWith("win32") ? ".exe" : "";
    const program = join(folder, test.replace(/\.cc$/, ending));
    const said = await emulator.run(program, [], folder);
    console.log(`${emulator.platform}: ${test}: ${said.trim().split(/\r?\n/).join("; ")}`);
  }
}

process.exitCode = await main(process.argv.slice(2));
