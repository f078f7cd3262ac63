/**
 * Against DNS rebinding: a page whose name is made to point at this machine reaches a local server from a browser, and
 * the Host header has that page's name. An address in numbers cannot be rebound. A server with a key needs no such check:
 * the page does not have it.
 */
import { isIP } from "node:net";
import { hostname } from "node:os";
import type { FastifyRequest } from "fastify";
import { RequestError } from "../errors.ts";

/** `allowed`: names that the server is reached by, beside this machine's own. @throws RequestError for another name */
export function createHostCheck(allowed: readonly string[]): (request: FastifyRequest) => void {
  const names = new Set(["localhost", hostname(), ...allowed].map((name) => name.toLowerCase()));
  return ({ headers }) => {
    const name = hostName(headers.host ?? "");
    if (name === undefined || names.has(name) || name.endsWith(".localhost")) return;
    const message =
      `this server is not reached as "${name}"; a name beside localhost and addresses needs ` +
      `--allow-host ${name}, or a key`;
    throw new RequestError("not permitted", message);
  };
}

/** The name without its port, in lower case; undefined for an address in numbers. */
function hostName(host: string): string | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(host) ?? [];
  const name = (bracketed ?? host.replace(/:\d+$/, "")).toLowerCase().replace(/\.$/, "");
  return isIP(name) > 0 ? undefined : name;
}
