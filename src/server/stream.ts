/**
 * Writes an answer to the client piece by piece. What fails before the first piece is thrown, so that the client gets a
 * status; what fails later is a piece of its own. A reader that is slower than the answer is waited for; one that has
 * gone ends the source.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import { type Failure, failureOf } from "./errors.ts";

export interface StreamForm {
  readonly contentType: string;
  /** Sent while nothing else is, so that proxies keep the connection; undefined: nothing may stand between the pieces. */
  readonly ping: string | undefined;
  /** A failure in the middle of the stream. */
  errorPart(failure: Failure): string;
}

export interface StreamTimes {
  /** A first piece is waited for so long before the status is sent, in milliseconds. */
  readonly firstPiece: number;
  /** Between pings. */
  readonly ping: number;
  /** A reader that takes nothing for so long is cut off. */
  readonly stall: number;
}

/** Headers that keep proxies from collecting the pieces (X-Accel-Buffering is nginx's). */
const streamHeaders = { "cache-control": "no-cache", "x-accel-buffering": "no" };

/** Ends the reply. @throws what `pieces` throws before its first piece has come. */
export async function sendStream(
  reply: FastifyReply,
  pieces: AsyncIterable<string>,
  { form, times }: { readonly form: StreamForm; readonly times: StreamTimes },
): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]();
  const first = iterator.next();
  await firstOrTime(first, times.firstPiece);
  const raw = beginStream(reply, form);
  const pings = startPings(raw, form.ping, times.ping);
  try {
    for (let next = await first; !next.done; next = await iterator.next()) {
      pings.refresh();
      if (!(await write(raw, next.value, times.stall))) break;
    }
  } catch (error) {
    const failure = failureOf(error);
    reply.log.error({ err: error }, failure.message);
    await write(raw, form.errorPart(failure), times.stall);
  } finally {
    pings.stop();
    await iterator.return?.();
    raw.end();
  }
}

/** Rejects with what `first` rejects with, if it does so in time. */
async function firstOrTime(first: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([first, late]);
  } finally {
    clearTimeout(timer);
  }
}

function beginStream(reply: FastifyReply, { contentType }: StreamForm): ServerResponse {
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...streamHeaders })) {
    if (value !== undefined) raw.setHeader(name, value);
  }
  raw.writeHead(200, { "content-type": contentType });
  raw.flushHeaders();
  return raw;
}

interface Pings {
  refresh(): void;
  stop(): void;
}

function startPings(raw: ServerResponse, ping: string | undefined, every: number): Pings {
  if (ping === undefined) return { refresh: () => {}, stop: () => {} };
  const timer = setInterval(() => {
    if (!raw.writableNeedDrain && !raw.destroyed) raw.write(ping);
  }, every);
  timer.unref();
  return { refresh: () => timer.refresh(), stop: () => clearInterval(timer) };
}

/** False when the reader has gone, or has taken nothing for `stall` milliseconds and is cut off. */
async function write(raw: ServerResponse, piece: string, stall: number): Promise<boolean> {
  if (raw.destroyed || raw.writableEnded) return false;
  if (raw.write(piece)) return true;
  const patience = AbortSignal.timeout(stall);
  const waiting = new AbortController();
  const signal = AbortSignal.any([patience, waiting.signal]);
  try {
    await Promise.race([once(raw, "drain", { signal }), once(raw, "close", { signal })]);
  } catch {
    raw.destroy();
  } finally {
    waiting.abort();
  }
  return !raw.destroyed;
}
