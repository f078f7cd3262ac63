/** What a measurement must say about where and of what it was taken. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadAddon } from "../backends/cpu/addon.ts";
import type { MachineDescription } from "../runtime/bench-report.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export function describeMachine(): MachineDescription {
  const loaded = loadAddon();
  const machine = loaded.kind === "loaded" ? loaded.addon.machine() : undefined;
  return {
    cpu: machine?.cpu || cpus()[0]?.model.trim() || "unknown",
    physical_cores: machine?.physicalCores ?? null,
    memory_bytes: machine?.memoryBytes ?? totalmem(),
    system: `${platform()} ${arch()} ${release()}, Node ${process.versions.node}`,
    load: Math.round(10 * (loadavg()[0] ?? 0)) / 10,
  };
}

/** Of the checkout that hearth runs from; null where it was installed as a package. */
export function checkoutCommit(): string | null {
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

export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}
