/**
 * Runs after `npm install` in a checkout: compiles the TypeScript and, where there is a C++ compiler, the addon.
 * Without a compiler the install still succeeds; hearth then runs on its reference backend and says so.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const compiler = join(root, "node_modules", "typescript");

function run(script, ...args) {
  const result = spawnSync(process.execPath, [join(root, script), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

if (existsSync(compiler)) {
  run("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json");
}
run("tools/build-native.mjs", "--optional");
