/** Whether the client is still there. */
import type { FastifyReply } from "fastify";

/**
 * Aborts when the connection closes before the reply was written. The reply's stream tells, not the request's: Node closes
 * that of a POST as soon as its body was read.
 */
export function whenGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const abort = (): void => {
    if (!raw.writableFinished) gone.abort();
  };
  if (raw.destroyed) abort();
  else raw.once("close", abort);
  return gone.signal;
}
