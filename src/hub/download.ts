/**
 * One content of the hub into the cache: by several connections, taken up where an earlier fetch ended, and under its name only
 * when its digest is right. The library of the hub does none of these.
 */
import { createHash, type Hash } from "node:crypto";
import { existsSync, renameSync } from "node:fs";
import { FileAccessError, HubError } from "../core/errors.ts";
import { type Bytes, MiB } from "../core/units.ts";
import { withFileLock } from "../io/file-lock.ts";
import { fileAccessError } from "../io/open-file.ts";
import { livingOwners } from "../io/ownership.ts";
import { blobPath, lockPath, makeFolders } from "./cache-layout.ts";
import type { HubConnection } from "./connection.ts";
import { type ByteSpan, FileStream } from "./file-stream.ts";
import type { HubFile } from "./hub-file.ts";
import { PartialFile, partialPath } from "./partial-file.ts";

export interface DownloadOptions {
  /** Requests at the same time. */
  readonly connections: number;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the file that are there, those of an earlier fetch among them. May fall once, when a damaged copy is thrown away. */
  readonly onProgress?: ((done: Bytes) => void) | undefined;
  /** A sentence about something that the user should know. */
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** Held in memory for each connection before it is written: what a kill loses of it. */
const bufferBytes: Bytes = 1 * MiB;

/** The content is in the cache when this resolves. @throws HubError, FileAccessError, the signal's reason */
export async function downloadBlob(
  connection: HubConnection,
  file: HubFile,
  options: DownloadOptions,
): Promise<void> {
  const { cacheFolder } = connection.settings;
  const blob = blobPath(cacheFolder, file);
  const lock = lockPath(cacheFolder, file);
  makeFolders(cacheFolder, file);
  if (livingOwners(lock, "lock").length > 0) {
    options.onNotice?.(`another process fetches ${file.path}; waiting for it`);
  }
  const fetch = async (): Promise<void> => {
    if (existsSync(blob)) return;
    const hadEarlier = await fetchInto(connection, file, options);
    // The bytes of an earlier fetch may be damaged: of a power cut, or of a content that was never right.
    if (hadEarlier === "damaged") await fetchInto(connection, file, options);
  };
  await withFileLock(lock, fetch, Number.POSITIVE_INFINITY);
}

/** "damaged": what an earlier fetch had left was wrong; it is gone. @throws HubError for a fresh copy that is wrong */
async function fetchInto(
  connection: HubConnection,
  file: HubFile,
  options: DownloadOptions,
): Promise<"whole" | "damaged"> {
  const blob = blobPath(connection.settings.cacheFolder, file);
  const partial = await PartialFile.open(partialPath(blob), file.size);
  const earlier = partial.done;
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  options.onProgress?.(earlier);
  const stopAll = (error: unknown): never => {
    stop.abort(error);
    partial.wake();
    throw error;
  };
  const [hashed, fetched] = await Promise.allSettled([
    hashInOrder(partial, file, signal).catch(stopAll),
    fetchMissing(connection, file, { ...options, partial, signal, stopAll }).catch(stopAll),
  ]);
  if (hashed.status === "rejected" || fetched.status === "rejected") {
    await partial.close();
    options.signal?.throwIfAborted();
    throw withAdvice(stop.signal.reason);
  }
  const digest = hashed.value;
  if (digest !== file.digest) {
    await partial.discard();
    if (earlier === 0) throw wrongDigest(connection, file, digest);
    options.onNotice?.(`what was there of ${file.path} is damaged; fetching it anew`);
    return "damaged";
  }
  await partial.finish();
  try {
    renameSync(partial.path, blob);
  } catch (error) {
    throw fileAccessError(blob, error);
  }
  return "whole";
}

/** What has arrived stays, and is worth to be told of where the disk is full. */
function withAdvice(error: unknown): unknown {
  if (!(error instanceof FileAccessError) || error.code !== "ENOSPC") return error;
  const { file, code, reason, cause } = error;
  const advice = "make room and pull again: what has arrived is kept. HF_HOME names another place";
  return new FileAccessError(file, { code, reason: `${reason}; ${advice}`, cause });
}

interface Fetch extends DownloadOptions {
  readonly partial: PartialFile;
  readonly signal: AbortSignal;
  /** Ends the other connections, and throws the error again. */
  readonly stopAll: (error: unknown) => never;
}

async function fetchMissing(connection: HubConnection, file: HubFile, fetch: Fetch): Promise<void> {
  const { partial, signal } = fetch;
  const spans = [...partial.missing()];
  const [first] = spans;
  if (first === undefined) return;
  const stream = new FileStream(connection, file);
  if (spans.length > 1) await stream.probe(signal);
  if (!stream.servesParts) {
    fetch.onNotice?.(
      "the server sends whole files only: one connection, and an earlier fetch is not taken up",
    );
    return await fetchSpan(stream, { begin: partial.prefix, end: file.size }, fetch);
  }
  const work = async (): Promise<void> => {
    for (let span = spans.shift(); span !== undefined; span = spans.shift()) {
      await fetchSpan(stream, span, fetch);
    }
  };
  const count = Math.min(fetch.connections, spans.length);
  const workers = Array.from({ length: count }, () => work().catch(fetch.stopAll));
  // All have ended, and written what they had, before the first error is told.
  const failed = (await Promise.allSettled(workers)).find((worker) => worker.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** Writes what has arrived also where the rest does not. */
async function fetchSpan(
  stream: FileStream,
  span: ByteSpan,
  { partial, signal, onProgress }: Fetch,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(bufferBytes, span.end - span.begin));
  let at = span.begin;
  let held = 0;
  const flush = async (): Promise<void> => {
    await partial.write(at, buffer.subarray(0, held));
    at += held;
    held = 0;
    onProgress?.(partial.done);
  };
  try {
    for await (const piece of stream.read(span, signal)) {
      for (let taken = 0; taken < piece.length; ) {
        const count = Math.min(piece.length - taken, buffer.length - held);
        buffer.set(piece.subarray(taken, taken + count), held);
        held += count;
        taken += count;
        if (held === buffer.length) await flush();
      }
    }
  } finally {
    if (held > 0) await flush();
  }
}

const hashedAtOnce: Bytes = 4 * MiB;

/** Follows the writers, so that the digest is known soon after the last byte. Reads from the system's cache. */
async function hashInOrder(
  partial: PartialFile,
  file: HubFile,
  signal: AbortSignal,
): Promise<string> {
  const hash = hashFor(file);
  for (let at = 0; at < file.size; ) {
    signal.throwIfAborted();
    const end = Math.min(partial.prefix, at + hashedAtOnce);
    if (end > at) hash.update(await partial.read({ begin: at, end }));
    else await partial.nextWrite();
    at = Math.max(at, end);
  }
  return hash.digest("hex");
}

/** Of LFS, or of git's own object. */
function hashFor({ digest, size }: HubFile): Hash {
  return digest.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

function wrongDigest({ settings }: HubConnection, file: HubFile, found: string): HubError {
  const address = `${settings.endpoint}/${file.repository}`;
  return new HubError(
    `${file.path} arrived with the digest ${found}, but ${address} says ${file.digest}: it was damaged on the way, and is removed; try again`,
    { address, status: 200 },
  );
}
