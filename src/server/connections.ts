/**
 * Which connections wait for nothing, so that a server that ends need not wait for them. Node's own
 * `closeIdleConnections` leaves out those that never had a request, which browsers and HTTP clients open in advance.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export class Connections {
  /** How many requests of each are being answered. */
  readonly #running = new Map<Socket, number>();

  constructor(server: Server) {
    server.on("connection", (socket: Socket) => {
      this.#running.set(socket, 0);
      socket.once("close", () => this.#running.delete(socket));
    });
    server.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => {
      this.#count(socket, 1);
      response.once("close", () => this.#count(socket, -1));
    });
  }

  closeIdle(): void {
    for (const [socket, running] of this.#running) if (running === 0) socket.destroy();
  }

  #count(socket: Socket, change: number): void {
    const running = this.#running.get(socket);
    if (running !== undefined) this.#running.set(socket, running + change);
  }
}
