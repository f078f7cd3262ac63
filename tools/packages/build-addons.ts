/** Compiles addons for other systems by tools/build-native.mjs. */
import { spawnSync } from "node:child_process";
import { packagePath } from "../../src/core/package-root.ts";

/** @throws Error for the first that does not compile. */
export function buildAddons(platforms: readonly string[]): void {
  for (const platform of platforms) runBuild(platform, []);
}

/** Builds the kernel tests of a platform, and returns the folder that has them. */
export function buildKernelTests(platform: string): string {
  runBuild(platform, ["--test"]);
  return packagePath(`build/cross/${platform}`);
}

function runBuild(platform: string, flags: readonly string[]): void {
  const tool = packagePath("tools/build-native.mjs");
  const list = [tool, "--target", platform, ...flags];
  const { status } = spawnSync(process.execPath, list, { stdio: "inherit" });
  if (status !== 0) throw new Error(`the addon for ${platform} does not compile`);
}
