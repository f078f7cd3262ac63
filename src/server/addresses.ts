/**
 * `localhost` is two addresses where IPv6 is on, and clients take either. The HTTP server listens on the first; what
 * arrives at a further one is handed to it, so that its limits and its end hold for all connections. (Fastify would open
 * servers of its own, whose idle connections nobody ends.)
 */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import type { Server } from "node:http";
import { createServer, type Server as NetServer } from "node:net";

/** The addresses of `host`: one, but for localhost. @throws as `lookup` does */
export async function addressesOf(host: string): Promise<readonly string[]> {
  if (host.toLowerCase() !== "localhost") return [host];
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

/** Ends with `close`, when its last connection has ended. @throws when the address cannot be had */
export async function listenBeside(
  server: Server,
  address: { readonly host: string; readonly port: number },
): Promise<NetServer> {
  // As the HTTP server has its own connections.
  const further = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    server.emit("connection", socket),
  );
  further.listen(address);
  await once(further, "listening");
  return further;
}

export async function closeAddress(further: NetServer): Promise<void> {
  const closed = once(further, "close");
  further.close();
  await closed;
}
