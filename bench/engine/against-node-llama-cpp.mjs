/**
 * hearth beside node-llama-cpp (a wrapper of llama.cpp, no yardstick of it), the same files in turn, ratios round by round:
 *   node bench/engine/against-node-llama-cpp.mjs FOLDER MODEL… [options of hearth bench]
 * FOLDER is one in which `npm install node-llama-cpp` was run. Needs a built hearth (npm run build) and a quiet machine.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const [folder, ...rest] = process.argv.slice(2);
if (folder === undefined || rest.length === 0) {
  console.error("usage: node bench/engine/against-node-llama-cpp.mjs FOLDER MODEL… [options]");
  process.exit(2);
}
const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const options = ["bench", ...rest, "--device", "cpu", "--against-from", folder];
const { status } = spawnSync(process.execPath, [main, ...options], { stdio: "inherit" });
process.exit(status ?? 1);
