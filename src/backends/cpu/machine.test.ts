import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cgroupLimits, memoryOfProcess, threadsWithin } from "../../io/cgroup.ts";
import { type Addon, loadAddon } from "../addon.ts";
import { machineOf } from "./machine.ts";

const folder = mkdtempSync(join(tmpdir(), "hearth-cgroup-"));
afterAll(() => rmSync(folder, { recursive: true }));
const GiB = 2 ** 30;
const none = Number.POSITIVE_INFINITY;

let made = 0;
/** A root with these files. */
function machine(files: Readonly<Record<string, string>>): string {
  const root = join(folder, String(made++));
  mkdirSync(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), `${text}\n`);
  }
  return root;
}

const v2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
const v1 = [
  "31 23 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct",
  "32 23 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory",
].join("\n");

type Case = readonly [
  string,
  Readonly<Record<string, string>>,
  { cores?: number; memoryBytes?: number; availableBytes?: number },
];

const cases: readonly Case[] = [
  ["no control groups", {}, {}],
  [
    "a group without limits",
    {
      "proc/self/cgroup": "0::/a",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/a/cpu.max": "max 100000",
      "sys/fs/cgroup/a/memory.max": "max",
    },
    {},
  ],
  [
    "its own group, deep down",
    {
      "proc/self/cgroup": "0::/user.slice/a b.scope",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/user.slice/a b.scope/cpu.max": "150000 100000",
      "sys/fs/cgroup/user.slice/a b.scope/memory.max": String(2 * GiB),
    },
    { cores: 1.5, memoryBytes: 2 * GiB, availableBytes: 2 * GiB },
  ],
  [
    "a group around it that is narrower",
    {
      "proc/self/cgroup": "0::/a/b/c",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/a/b/c/cpu.max": "800000 100000",
      "sys/fs/cgroup/a/b/cpu.max": "max 100000",
      "sys/fs/cgroup/a/cpu.max": "300000 100000",
      "sys/fs/cgroup/a/memory.max": String(GiB),
      "sys/fs/cgroup/a/b/c/memory.max": String(4 * GiB),
    },
    { cores: 3, memoryBytes: GiB, availableBytes: GiB },
  ],
  [
    "a container's own namespace, limits at its root",
    {
      "proc/self/cgroup": "0::/",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/cpu.max": "50000 100000",
      "sys/fs/cgroup/memory.max": String(GiB),
    },
    { cores: 0.5, memoryBytes: GiB, availableBytes: GiB },
  ],
  [
    "a container in the host's namespace, its group alone mounted",
    {
      "proc/self/cgroup": "0::/docker/abc/inner",
      "proc/self/mountinfo": "30 23 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw",
      "sys/fs/cgroup/cpu.max": "400000 100000",
      "sys/fs/cgroup/inner/cpu.max": "200000 100000",
    },
    { cores: 2 },
  ],
  [
    "a path that leads out of the namespace",
    {
      "proc/self/cgroup": "0::/../other",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/cpu.max": "200000 100000",
      "sys/fs/cgroup/other/cpu.max": "100000 100000",
    },
    { cores: 2 },
  ],
  [
    "memory in use, and what of it can be taken back",
    {
      "proc/self/cgroup": "0::/a",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/a/memory.max": String(4 * GiB),
      "sys/fs/cgroup/a/memory.high": String(3 * GiB),
      "sys/fs/cgroup/a/memory.current": String(2 * GiB),
      "sys/fs/cgroup/a/memory.stat": `anon 1\ninactive_file ${GiB}\nactive_file ${GiB / 4}`,
    },
    { memoryBytes: 3 * GiB, availableBytes: 2.25 * GiB },
  ],
  [
    "more in use than is granted",
    {
      "proc/self/cgroup": "0::/a",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/a/memory.max": String(GiB),
      "sys/fs/cgroup/a/memory.current": String(2 * GiB),
    },
    { memoryBytes: GiB, availableBytes: 0 },
  ],
  [
    "version 1, each controller in its own hierarchy",
    {
      "proc/self/cgroup": "4:memory:/m/n\n3:cpu,cpuacct:/c\n1:name=systemd:/x",
      "proc/self/mountinfo": v1,
      "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us": "250000",
      "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us": "100000",
      "sys/fs/cgroup/memory/m/memory.limit_in_bytes": String(GiB),
      "sys/fs/cgroup/memory/m/n/memory.limit_in_bytes": "9223372036854771712",
      "sys/fs/cgroup/memory/m/memory.usage_in_bytes": String(GiB / 2),
      "sys/fs/cgroup/memory/m/memory.stat": `active_file 7\ntotal_inactive_file ${GiB / 8}\ntotal_active_file ${GiB / 8}`,
    },
    { cores: 2.5, memoryBytes: GiB, availableBytes: 0.75 * GiB },
  ],
  [
    "version 1 without a quota",
    {
      "proc/self/cgroup": "3:cpu,cpuacct:/c",
      "proc/self/mountinfo": v1,
      "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us": "-1",
      "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us": "100000",
    },
    {},
  ],
  [
    "version 1 in a container, its group alone mounted",
    {
      "proc/self/cgroup": "3:cpu,cpuacct:/docker/abc",
      "proc/self/mountinfo":
        "31 23 0:27 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct",
      "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000",
      "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    },
    { cores: 1 },
  ],
  [
    "both versions at once",
    {
      "proc/self/cgroup": "3:cpu,cpuacct:/c\n0::/a",
      "proc/self/mountinfo": `${v1}\n40 23 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`,
      "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_quota_us": "400000",
      "sys/fs/cgroup/cpu,cpuacct/c/cpu.cfs_period_us": "100000",
      "sys/fs/cgroup/unified/a/memory.max": String(GiB),
    },
    { cores: 4, memoryBytes: GiB, availableBytes: GiB },
  ],
  [
    "a mount point with a space",
    {
      "proc/self/cgroup": "0::/",
      "proc/self/mountinfo": "30 23 0:26 / /my\\040groups rw - cgroup2 cgroup2 rw",
      "my groups/cpu.max": "100000 100000",
    },
    { cores: 1 },
  ],
  [
    "nonsense",
    {
      "proc/self/cgroup": "x\n0::",
      "proc/self/mountinfo": "- - -\n\n1 2",
      "sys/fs/cgroup/cpu.max": "many",
    },
    {},
  ],
];

describe("the limits of a process's control groups", () => {
  it.each(cases)("are found: %s", (_, files, expected) => {
    const unlimited = { cores: none, memoryBytes: none, availableBytes: none };
    expect(cgroupLimits(machine(files))).toEqual({ ...unlimited, ...expected });
  });

  it.each([
    [0.1, 1],
    [0.99, 1],
    [1, 1],
    [1.5, 1],
    [1.999, 1],
    [2, 2],
    [2.5, 2],
    [none, none],
  ])("of %d cores are %d threads", (cores, threads) => {
    expect(threadsWithin(cores)).toBe(threads);
  });

  it("are found here too, and are those of something that runs", () => {
    const { cores, memoryBytes, availableBytes } = cgroupLimits();
    expect(cores).toBeGreaterThan(0);
    expect(availableBytes).toBeLessThanOrEqual(memoryBytes);
    expect(memoryOfProcess()).toBeGreaterThan(2 ** 26);
    expect(memoryOfProcess()).toBeLessThanOrEqual(totalmem());
  });

  it("hold for the cores and the memory that hearth takes a machine to have", () => {
    const loaded = loadAddon();
    const found = {
      cpu: "",
      features: "",
      physicalCores: 8,
      performanceCores: 6,
      usableCores: 16,
      memoryBytes: 64 * GiB,
      availableBytes: 32 * GiB,
      cacheBytes: [],
      kernels: "scalar",
    };
    const addon = { ...(loaded.kind === "loaded" && loaded.addon), machine: () => found } as Addon;
    const limited = machine({
      "proc/self/cgroup": "0::/a",
      "proc/self/mountinfo": v2,
      "sys/fs/cgroup/a/cpu.max": "350000 100000",
      "sys/fs/cgroup/a/memory.max": String(4 * GiB),
      "sys/fs/cgroup/a/memory.current": String(GiB),
    });
    expect(machineOf(addon, limited)).toMatchObject({
      physicalCores: 3,
      performanceCores: 3,
      usableCores: 3,
      memoryBytes: 4 * GiB,
      availableBytes: 3 * GiB,
    });
    expect(machineOf(addon, machine({}))).toEqual(found);
  });
});
