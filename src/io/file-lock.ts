/**
 * One writer of a file at a time, among processes and within one. A writer puts a claim of its own beside the file and
 * writes if there is no other; claims have unique names, so that removing one of a killed process never removes another's.
 */
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { FileAccessError } from "../core/errors.ts";
import { fileAccessError } from "./open-file.ts";
import { livingOwners, ownedPath } from "./ownership.ts";
import { removeWhenKilled } from "./remove-when-killed.ts";

/** Milliseconds. A sidecar with copies of all matrices of a large model takes minutes to write. */
const defaultPatience = 15 * 60 * 1000;
const shortestPause = 10;
const longestPause = 250;
/** A claim that is touched so often is not taken for an abandoned one, also where its process cannot be asked. */
const heartbeat = 10_000;

/** Runs `work` when nobody else holds the lock of `path`. @throws FileAccessError when others hold it for too long */
export async function withFileLock<Result>(
  path: string,
  work: () => Promise<Result>,
  patience: number = defaultPatience,
): Promise<Result> {
  const claim = await acquire(path, patience);
  const stopWatching = removeWhenKilled(claim);
  const beat = setInterval(() => touch(claim), heartbeat);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    rmSync(claim, { force: true });
    stopWatching();
  }
}

async function acquire(path: string, patience: number): Promise<string> {
  const deadline = performance.now() + patience;
  for (let wait = shortestPause; ; wait = Math.min(2 * wait, longestPause)) {
    const claim = tryAcquire(path);
    if (claim !== undefined) return claim;
    if (performance.now() > deadline) throw heldByOthers(path, patience);
    // Random, so that two that met do not meet again.
    await pause(wait * (0.5 + Math.random()));
  }
}

/** First claims, then looks: of two that claim at once, at least one sees the other and steps back. */
function tryAcquire(path: string): string | undefined {
  const claim = ownedPath(path, "lock");
  try {
    if (livingOwners(path, "lock").length > 0) return undefined;
    writeFileSync(claim, `process ${process.pid} is writing ${path}\n`, { flag: "wx" });
    if (livingOwners(path, "lock").length === 1) return claim;
  } catch (error) {
    rmSync(claim, { force: true });
    throw fileAccessError(path, error);
  }
  rmSync(claim, { force: true });
  return undefined;
}

function touch(claim: string): void {
  const now = new Date();
  try {
    utimesSync(claim, now, now);
  } catch {
    // Removed by hand: whoever did that wants the lock gone.
  }
}

function heldByOthers(path: string, patience: number): FileAccessError {
  const [holder = "nobody now"] = livingOwners(path, "lock");
  const minutes = (patience / 60_000).toFixed(0);
  const reason = `another process has been writing it for ${minutes} minutes (${holder}); wait for it or end it`;
  return new FileAccessError(path, { code: "EBUSY", reason });
}
