/** PyTorch's dense and CSR products of the same sizes, by bench/kernels/torch-sparse.py if a Python has torch. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("./torch-sparse.py", import.meta.url));

/** CSR products without MKL run at 0.3 GB/s: a smaller matrix than hearth's, still twice the cache. */
const minBytes = 128 * 2 ** 20;

export function measureTorch({ flushBytes, rounds, threads, percents, columns, python }) {
  // Debian's package belongs to its own Python, which need not be the first in the path.
  const candidates = python ? [python] : ["python3", "/usr/bin/python3"];
  const hasTorch = (command) => spawnSync(command, ["-c", "import torch"]).status === 0;
  const found = candidates.find(hasTorch);
  if (found === undefined) {
    const tried = candidates.join(", ");
    return { kind: "skipped", reason: `no torch (tried ${tried}); apt-get install python3-torch` };
  }
  const bytes = Math.max(minBytes, flushBytes);
  const request = { bytes, flush_bytes: flushBytes, rounds, threads, percents, columns };
  const { status, stdout, stderr } = spawnSync(found, [script, JSON.stringify(request)], {
    encoding: "utf8",
    env: { ...process.env, OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) },
  });
  if (status !== 0) {
    return { kind: "skipped", reason: `${found} failed: ${stderr.trim().split("\n").at(-1)}` };
  }
  return { kind: "measured", runs: JSON.parse(stdout).runs };
}
