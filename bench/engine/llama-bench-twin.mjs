/**
 * llama-bench on another file than it is asked for: a model with predictors is none that llama.cpp loads, its twin, of the
 * same shapes and types without them, is. For `hearth bench --against-llama-bench`:
 *   "node bench/engine/llama-bench-twin.mjs TWIN.gguf LLAMA-BENCH…"
 */
import { spawnSync } from "node:child_process";

const [twin, program, ...args] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node bench/engine/llama-bench-twin.mjs TWIN.gguf LLAMA-BENCH [ARGUMENT…]");
  process.exit(2);
}
const at = args.indexOf("-m");
const onTwin = at < 0 ? args : args.with(at + 1, twin);
const { status, signal, error } = spawnSync(program, onTwin, { stdio: "inherit" });
if (error) console.error(error.message);
if (signal) process.kill(process.pid, signal);
process.exit(status ?? 1);
