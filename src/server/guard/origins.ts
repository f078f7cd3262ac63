/**
 * Which web pages may ask: none, until one is allowed. A browser says which page asks (Origin); a page that is not allowed
 * is refused before anything runs, whether or not it could read the answer. Programs send no Origin.
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { RequestError } from "../errors.ts";

const allowedMethods = "GET, POST, DELETE, OPTIONS";
/** For how long a browser need not ask again, in seconds. */
const preflightAge = "600";

/**
 * `allowed`: origins as "https://app.example", or "*" for all. Answers a preflight: true then.
 * @throws RequestError for a page that is not allowed
 */
export function createOriginCheck(
  allowed: readonly string[],
): (request: FastifyRequest, reply: FastifyReply) => boolean {
  const origins = new Set(allowed.map((origin) => origin.replace(/\/$/, "").toLowerCase()));
  return (request, reply) => {
    const { origin, host } = request.headers;
    if (origin === undefined || isOwn(origin, host)) return false;
    reply.header("vary", "Origin");
    if (!origins.has("*") && !origins.has(origin.toLowerCase())) {
      const message = `pages of ${origin} may not use this server; --cors ${origin} allows them`;
      throw new RequestError("not permitted", message);
    }
    reply.header("access-control-allow-origin", origin);
    reply.header("access-control-expose-headers", "*");
    if (request.method !== "OPTIONS") return false;
    reply
      .header("access-control-allow-methods", allowedMethods)
      .header(
        "access-control-allow-headers",
        request.headers["access-control-request-headers"] ?? "*",
      )
      .header("access-control-max-age", preflightAge)
      .code(204)
      .send();
    return true;
  };
}

/** A page of this server itself. */
function isOwn(origin: string, host: string | undefined): boolean {
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host;
}
