/** Whether the client is still there. */
import { setMaxListeners } from "node:events";
import type { FastifyReply } from "fastify";
import { RequestError } from "./errors.ts";

/**
 * Aborts when the connection closes before the reply was written. The reply's stream tells, not the request's: Node closes
 * that of a POST as soon as its body was read.
 */
export function whenGone({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  // Each answer of a request listens to it.
  setMaxListeners(0, gone.signal);
  const abort = (): void => {
    if (!raw.writableFinished) gone.abort(clientGone());
  };
  if (raw.destroyed) abort();
  else raw.once("close", abort);
  return gone.signal;
}

/** Nobody reads it but the log: nginx's status for such a request. */
function clientGone(): RequestError {
  return new RequestError("invalid request", "the client has gone", { status: 499 });
}
