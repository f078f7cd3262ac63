/**
 * Open, answer and close again and again: memory, file handles, mappings and threads of the process stay where they
 * are, on the CPU and on a software GPU. A run that keeps its engines is seen to break each of the bounds.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, vi } from "vitest";
import { loadAddon } from "../../src/backends/addon.ts";
import { listAdapters } from "../../src/backends/webgpu/adapter.ts";

/** A software adapter compiles the model's kernels anew in each round. */
vi.setConfig({ testTimeout: 300_000 });

const run = promisify(execFile);
const script = join(import.meta.dirname, "rounds.mjs");

/** What the process holds after a round. */
interface Held {
  readonly resident: number;
  readonly mapped: number;
  readonly handles: number;
  readonly threads: number;
}

/** Of two windows of rounds the least value each: a worker that is still ending or a late collection is no leak. */
interface Growth extends Held {
  readonly rounds: number;
}

/** Rounds in which caches fill: V8's compiled code, pages of the allocator, kernels. */
const warmRounds = 4;
const windowRounds = 3;

async function growthOf(device: string, rounds: number, ending: "close" | "keep"): Promise<Growth> {
  const argument = ["--expose-gc", script, device, `${rounds}`, ending];
  const { stdout } = await run(process.execPath, argument);
  const held: readonly Held[] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(held.length).toBe(rounds);
  const first = held.slice(warmRounds - windowRounds, warmRounds);
  const last = held.slice(-windowRounds);
  const grown = (of: keyof Held): number =>
    Math.min(...last.map((one) => one[of])) - Math.min(...first.map((one) => one[of]));
  return {
    rounds: rounds - warmRounds,
    resident: grown("resident"),
    mapped: grown("mapped"),
    handles: grown("handles"),
    threads: grown("threads"),
  };
}

const addon = loadAddon();
const adapters = await listAdapters().catch(() => []);
const isBuilt = existsSync(join(import.meta.dirname, "../../dist/index.js"));
const obstacle = [
  ...(existsSync("/proc/self/status") ? [] : ["no /proc"]),
  ...(isBuilt ? [] : ["dist is not built: npm run build"]),
  ...(addon.kind === "missing" ? [addon.reason] : []),
].join(", ");
const skipped = obstacle === "" ? "" : ` (skipped: ${obstacle})`;

describe.skipIf(obstacle !== "")(`an engine that is closed, round after round${skipped}`, () => {
  it("leaves nothing behind on the CPU", async () => {
    const grown = await growthOf("cpu", 16, "close");
    // An engine takes 22 MB. V8's heap and the allocator's pages settle by less than 0.5 MB a round.
    expect(grown.resident / grown.rounds).toBeLessThan(1e6);
    expect(grown).toMatchObject({ mapped: 0, handles: 0, threads: 0 });
  });

  it.skipIf(adapters.length === 0)(
    `leaves nothing behind on the GPU${adapters.length === 0 ? " (skipped: no GPU driver)" : ""}`,
    async () => {
      const grown = await growthOf("gpu", 8, "close");
      // The software driver's own heap moves by 100 MB and more, both ways: webgpu-backend.test.ts watches memory over 50 rounds.
      expect(grown).toMatchObject({ mapped: 0, handles: 0, threads: 0 });
    },
  );
});

describe.skipIf(obstacle !== "")(`an engine that is kept, round after round${skipped}`, () => {
  it("is seen by every bound on the CPU", async () => {
    const grown = await growthOf("cpu", 8, "keep");
    expect(grown.resident / grown.rounds).toBeGreaterThan(5e6);
    expect(grown.mapped).toBeGreaterThanOrEqual(grown.rounds);
    expect(grown.handles).toBeGreaterThanOrEqual(grown.rounds);
    expect(grown.threads).toBeGreaterThanOrEqual(grown.rounds);
  });
});
