/** `hearth build`: compiles the native addon where hearth is installed, for systems that have no package of it. */
import { spawnSync } from "node:child_process";
import type { Command } from "commander";
import { packagePath } from "../core/package-root.ts";

const examples = `
Without the addon, models run on plain TypeScript, many times slower. For most systems it comes as a package; this compiles one
here, which is used in its place. CXX names the compiler; without it the first of c++, g++, clang++.

Examples:
  $ hearth build
  $ CXX=clang++-19 npx hearth build      in a project that depends on hearth-llm`;

export function addBuildCommand(program: Command): void {
  program
    .command("build")
    .description("compile the native addon, the fast way to run models")
    .addHelpText("after", examples)
    .action(build);
}

function build(): void {
  const { status, error } = spawnSync(process.execPath, [packagePath("tools/build-native.mjs")], {
    stdio: "inherit",
  });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
