/** What a measurement must say about where and of what it was taken. */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { arch, cpus, platform, release } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadAddon } from "../../backends/addon.ts";
import { machineOf } from "../../backends/cpu/machine.ts";
import { packagePath } from "../../core/package-root.ts";
import type { Milliseconds } from "../../core/units.ts";
import { memoryOfProcess } from "../../io/cgroup.ts";
import type { MachineDescription } from "./report.ts";

/** How long other programs are watched before a measurement begins. */
const watched: Milliseconds = 500;

/** Takes half a second, in which this program should do nothing: what is busy then are others. */
export async function describeMachine(): Promise<MachineDescription> {
  const loaded = loadAddon();
  const machine = loaded.kind === "loaded" ? machineOf(loaded.addon) : undefined;
  return {
    cpu: machine?.cpu || cpus()[0]?.model.trim() || "unknown",
    physical_cores: physicalCores() ?? null,
    memory_bytes: machine?.memoryBytes ?? memoryOfProcess(),
    system: `${platform()} ${arch()} ${release()}, Node ${process.versions.node}`,
    load: Math.round(10 * (await busyCores())) / 10,
  };
}

/** Undefined where only the addon could report it and there is none. */
export function physicalCores(): number | undefined {
  const loaded = loadAddon();
  return loaded.kind === "loaded" ? machineOf(loaded.addon).physicalCores : undefined;
}

/** Cores at work while this program sleeps: unlike a load average it knows nothing of a minute ago. */
async function busyCores(): Promise<number> {
  const before = coreTimes();
  await sleep(watched);
  const after = coreTimes();
  const elapsed = after.total - before.total;
  if (elapsed <= 0) return 0;
  return cpus().length * (1 - (after.idle - before.idle) / elapsed);
}

function coreTimes(): { readonly idle: Milliseconds; readonly total: Milliseconds } {
  const times = cpus().map((core) => core.times);
  const idle = times.reduce((sum, time) => sum + time.idle, 0);
  const busy = times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, 0);
  return { idle, total: idle + busy };
}

/** Of the checkout that hearth runs from; null where it was installed as a package. */
export function checkoutCommit(): string | null {
  const root = packagePath("");
  if (!existsSync(join(root, ".git"))) return null;
  try {
    const args = ["-C", root, "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"];
    return execFileSync("git", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return null;
  }
}
