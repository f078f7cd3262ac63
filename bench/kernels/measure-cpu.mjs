/** The CPU kernels at every density: builds and runs bench/kernels/operators_bench.cc in a process of its own. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const build = fileURLToPath(new URL("../../tools/build-native.mjs", import.meta.url));
const mebibyte = 2 ** 20;

export function measureCpu({ bytes, flushBytes, rounds, threads, types, percents, isa }) {
  const words = {
    mib: Math.round(bytes / mebibyte),
    "flush-mib": Math.ceil(flushBytes / mebibyte),
    rounds,
    threads,
    densities: percents,
    ...(types && { types }),
    ...(isa && { isa }),
  };
  const args = Object.entries(words).map(([name, value]) => `${name}=${value}`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [build, "--bench", "operators", ...args],
    { encoding: "utf8", maxBuffer: 64 * mebibyte },
  );
  if (status !== 0) return { kind: "skipped", reason: stderr.trim() || "no C++ compiler" };
  const answer = JSON.parse(stdout);
  const device = `cpu (${answer.kernels}, ${answer.threads} threads)`;
  return { kind: "measured", runs: answer.runs.map((run) => ({ ...run, device })) };
}
