/**
 * Names for files that belong to a running process beside the file they are for: `model.gguf.OWNER.partial`,
 * `model.gguf.OWNER.lock`. OWNER tells the machine, the process and when it began, so that what a killed process has left
 * behind is known for that, and never taken from one that lives.
 */
import { createHash, randomUUID } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

type OwnedKind = "partial" | "lock";

/** How long a file of a process that cannot be asked may lie untouched: of another machine, or another container. */
const foreignPatience: Readonly<Record<OwnedKind, number>> = {
  // A writer touches it all the time.
  partial: 24 * 3600 * 1000,
  // Its holder touches it every few seconds.
  lock: 3600 * 1000,
};

/** File systems allow 255 bytes, and the owner takes about 60. */
const maxNameBytes = 160;

/** A new path beside `target`, owned by this process. */
export function ownedPath(target: string, kind: OwnedKind): string {
  const owner = `${machine()}-${process.pid}-${startOf("self")}-${randomUUID().slice(0, 8)}`;
  return join(dirname(target), `${prefixOf(target)}${owner}.${kind}`);
}

/** Those beside `target` whose owner lives, or may live; the others are removed. */
export function livingOwners(target: string, kind: OwnedKind): readonly string[] {
  const folder = dirname(target);
  const prefix = prefixOf(target);
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && name.endsWith(`.${kind}`))
    .map((name) => join(folder, name))
    .filter((path) => !removeIfAbandoned(path, kind));
}

/** Removes what killed processes have left; what cannot be removed is left to its owner. */
export function removeLeftovers(target: string): void {
  try {
    livingOwners(target, "partial");
  } catch {
    // The folder cannot be listed: whoever writes into it will say so.
  }
}

function prefixOf(target: string): string {
  const name = basename(target);
  if (Buffer.byteLength(name) <= maxNameBytes) return `${name}.`;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 16);
  return `${[...name].slice(0, 30).join("")}~${hash}.`;
}

function removeIfAbandoned(path: string, kind: OwnedKind): boolean {
  if (!isAbandoned(path, kind)) return false;
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

function isAbandoned(path: string, kind: OwnedKind): boolean {
  const [, host, pid, start] = /\.([0-9a-f]{8})-(\d+)-(\d+)-[0-9a-f]{8}\.\w+$/.exec(path) ?? [];
  if (host === machine()) return !isAlive(Number(pid), start ?? "");
  const found = statSync(path, { throwIfNoEntry: false });
  // Gone meanwhile: nobody's.
  return found === undefined || Date.now() - found.mtimeMs > foreignPatience[kind];
}

function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process lives too.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  // The number may have gone to another process.
  return startOf(pid) === start;
}

/** When a process began, in clock ticks since the system did; "0" where the system does not say it in a file. */
function startOf(pid: number | "self"): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // Field 22; the second is a name in brackets that may hold anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
  } catch {
    return "0";
  }
}

/** Where process numbers mean the same: one boot of one machine, one container on it. Eight hexadecimal digits. */
function machine(): string {
  const parts = [
    hostname(),
    linkOf("/proc/self/ns/pid"),
    textOf("/proc/sys/kernel/random/boot_id"),
  ];
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 8);
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
