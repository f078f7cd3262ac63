/**
 * What a control group leaves to this process (Linux; a container is one): cores' worth of time and memory, by the limits of
 * its own group and of every group around it. Sources: cgroups(7), proc(5), the kernel's admin-guide/cgroup-v2 and cgroup-v1.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join, posix } from "node:path";
import type { Bytes } from "../core/units.ts";

export interface CgroupLimits {
  /** Infinity without a limit; 1.5 where three processes share two cores so. */
  readonly cores: number;
  /** Infinity without a limit. */
  readonly memoryBytes: Bytes;
  /** Of that limit nobody uses now; memory that the kernel can take back counts as free. */
  readonly availableBytes: Bytes;
}

/** Whole threads that run at once without being held up: of 1.5 cores one, and one of half a core. */
export function threadsWithin(cores: number): number {
  return Math.max(1, Math.floor(cores));
}

/** Bytes of memory that this process may have at most. */
export function memoryOfProcess(): Bytes {
  return Math.min(totalmem(), cgroupLimits().memoryBytes);
}

/** `root`: where /proc and /sys are; a folder of made-up files in tests. */
export function cgroupLimits(root = "/"): CgroupLimits {
  const limits = groupsOfProcess(root).map((group) => readLimits(root, group));
  const least = (values: readonly number[]): number =>
    Math.min(Number.POSITIVE_INFINITY, ...values);
  return {
    cores: least(limits.map(({ cores }) => cores)),
    memoryBytes: least(limits.map(({ memoryBytes }) => memoryBytes)),
    availableBytes: least(limits.map(({ availableBytes }) => availableBytes)),
  };
}

interface Group {
  readonly folder: string;
  readonly version: 1 | 2;
}

/** The process's own groups, of every hierarchy, and those around them, as far as they are mounted. */
function groupsOfProcess(root: string): readonly Group[] {
  const mounts = readMounts(root);
  return memberships(root).flatMap(({ controllers, path }) => {
    const version = controllers.length === 0 ? 2 : 1;
    const hierarchy = mounts.filter(
      (mount) =>
        mount.version === version &&
        (version === 2 || controllers.some((name) => mount.options.includes(name))),
    );
    const mount = hierarchy.find((one) => isWithin(path, one.root));
    const folders =
      mount === undefined
        ? // Of a container whose group has another name inside.
          hierarchy.slice(0, 1).map(({ point }) => point)
        : upwards(mount.point, posix.relative(mount.root, path));
    return folders.map((folder) => ({ folder, version }));
  });
}

/** The folder at `relative` within `top`, and those above it up to `top`. */
function upwards(top: string, relative: string): readonly string[] {
  const parts = relative === "" ? [] : relative.split("/");
  return Array.from({ length: parts.length + 1 }, (_, i) =>
    posix.join(top, ...parts.slice(0, parts.length - i)),
  );
}

function isWithin(path: string, root: string): boolean {
  return path === root || root === "/" ? !path.startsWith("/..") : path.startsWith(`${root}/`);
}

interface Membership {
  /** Empty for version 2. */
  readonly controllers: readonly string[];
  readonly path: string;
}

/** Lines "4:cpu,cpuacct:/a/b" (version 1) and "0::/a/b" (version 2). Only those that limit cores or memory. */
function memberships(root: string): readonly Membership[] {
  return textOf(root, "/proc/self/cgroup")
    .split("\n")
    .flatMap((line) => {
      const [, names, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
      if (names === undefined || path === undefined) return [];
      const controllers = names === "" ? [] : names.split(",");
      const counts =
        names === "" || controllers.some((name) => name === "cpu" || name === "memory");
      return counts ? [{ controllers, path }] : [];
    });
}

interface Mount {
  readonly version: 1 | 2;
  /** Which part of the hierarchy is mounted. */
  readonly root: string;
  readonly point: string;
  /** Of the file system; for version 1 its controllers are among them. */
  readonly options: readonly string[];
}

/** Lines "36 35 98:0 /root /point rw,noatime master:1 - cgroup2 cgroup rw,nsdelegate". */
function readMounts(root: string): readonly Mount[] {
  return textOf(root, "/proc/self/mountinfo")
    .split("\n")
    .flatMap((line) => {
      const [before = "", after = ""] = line.split(" - ");
      const [, , , mountRoot, point] = before.split(" ");
      const [type, , options = ""] = after.split(" ");
      if (mountRoot === undefined || point === undefined) return [];
      if (type !== "cgroup" && type !== "cgroup2") return [];
      const version = type === "cgroup2" ? 2 : 1;
      return [
        { version, root: unquote(mountRoot), point: unquote(point), options: options.split(",") },
      ];
    });
}

/** Spaces and their like are written as \040. */
function unquote(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function readLimits(root: string, { folder, version }: Group): CgroupLimits {
  const file = (name: string): string => textOf(root, posix.join(folder, name)).trim();
  const [quota, period] =
    version === 2
      ? file("cpu.max").split(" ").map(countOf)
      : [countOf(file("cpu.cfs_quota_us")), countOf(file("cpu.cfs_period_us"))];
  const memoryBytes = Math.min(
    ...(version === 2 ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]).map((name) =>
      limitOf(file(name)),
    ),
  );
  const used = countOf(file(version === 2 ? "memory.current" : "memory.usage_in_bytes")) ?? 0;
  const unused = memoryBytes - Math.max(0, used - cachedBytes(file("memory.stat"), version));
  return {
    cores:
      quota !== undefined && period !== undefined && period > 0
        ? quota / period
        : Number.POSITIVE_INFINITY,
    memoryBytes,
    availableBytes: Math.max(0, unused),
  };
}

/** Of files, which the kernel gives back before anything else; MemAvailable counts them too, those used lately included. */
function cachedBytes(stat: string, version: 1 | 2): Bytes {
  const prefix = version === 2 ? "" : "total_";
  return ["inactive_file", "active_file"].reduce((sum, name) => {
    const [, bytes = "0"] = new RegExp(`^${prefix}${name} (\\d+)$`, "m").exec(stat) ?? [];
    return sum + Number(bytes);
  }, 0);
}

/** Version 1 writes no limit as the largest number of pages. */
const noLimit = 2 ** 60;

function limitOf(text: string): number {
  const bytes = countOf(text);
  return bytes === undefined || bytes >= noLimit ? Number.POSITIVE_INFINITY : bytes;
}

/** Undefined for "max", −1 and what is not there. */
function countOf(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

function textOf(root: string, path: string): string {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return "";
  }
}
