/**
 * The server as a program of one's own starts it: `import { createServer } from "hearth-llm/server"`. `hearth serve` is
 * made of this.
 */

import type { Server as NetServer } from "node:net";
import { OptionError } from "../core/errors.ts";
import { addressesOf, closeAddress, listenBeside } from "./addresses.ts";
import { buildApp } from "./build.ts";
import { Connections } from "./connections.ts";
import type { App, ServerContext } from "./context.ts";
import { ModelLoadError } from "./errors.ts";
import type { Condition } from "./health.ts";
import { Planning } from "./hearth/planning.ts";
import { defaultLimits } from "./limits.ts";
import { createLog } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { type Catalogue, folderOfModels, localModels, oneModel } from "./models/catalogue.ts";
import { ModelHost } from "./models/host.ts";
import { fitsIntoMemory, heldBytes } from "./models/memory.ts";
import { openModel } from "./models/open-model.ts";
import { NeuronWatches } from "./neurons/watches.ts";
import { type ResolvedServerOptions, resolveServerOptions, type ServerOptions } from "./options.ts";

export type { LogForm, ServerOptions, UnknownFields } from "./options.ts";

export interface HearthServer extends AsyncDisposable {
  /** Opens the port at once; models are loaded meanwhile. Returns the address: "http://127.0.0.1:8080". */
  listen(): Promise<string>;
  /** Settles when the only model is loaded; with several models, when they are listed. Rejects as `Engine.open` does. */
  readonly ready: Promise<void>;
  /** Takes no requests any more, lets running answers end, and frees the models. */
  close(): Promise<void>;
}

/** @throws OptionError naming the option; nothing is opened yet */
export async function createServer(options: ServerOptions = {}): Promise<HearthServer> {
  const resolved = resolveServerOptions(options);
  const catalogue = catalogueOf(resolved);
  const log = createLog(resolved);
  const models = new ModelHost(catalogue, {
    maxLoaded: resolved.maxModels,
    keepAlive: resolved.keepAlive,
    open: async (entry, signal, onProgress, loaded) => {
      const heldByOthers = await heldBytes(loaded);
      return openModel(entry, resolved, { log, signal, onProgress, heldByOthers });
    },
    fits: (entry, loaded) => fitsIntoMemory(entry, loaded, resolved),
  });
  const watches = new NeuronWatches();
  const context: ServerContext = {
    models,
    limits: defaultLimits,
    log,
    metrics: new Metrics(models),
    planning: new Planning(),
    options: resolved,
    watches,
    unknownFields: resolved.unknownFields,
    mayChangeServer: resolved.apiKeys.length > 0,
    slotFolder: resolved.slotSavePath,
  };
  const app = await buildApp({ context, options: resolved, condition: () => server.condition });
  const server = new RunningServer(app, context, resolved);
  return server;
}

/** How often idle connections are looked for while running answers end, in milliseconds. */
const drainStep = 50;

class RunningServer implements HearthServer {
  condition: Condition;
  readonly #app: App;
  readonly #connections: Connections;
  readonly #models: ModelHost;
  readonly #planning: Planning;
  readonly #address: { readonly host: string; readonly port: number };
  /** Beside the first address. */
  readonly #further: NetServer[] = [];
  #loading: Promise<void> | undefined;

  constructor(
    app: App,
    { models, planning }: ServerContext,
    { host, port }: ResolvedServerOptions,
  ) {
    this.#app = app;
    this.#connections = new Connections(app.server);
    this.#models = models;
    this.#planning = planning;
    this.#address = { host, port };
    this.condition = { kind: models.catalogue.only === undefined ? "ok" : "loading" };
  }

  async listen(): Promise<string> {
    const address = await this.#openPort();
    // Who awaits `ready` hears of it.
    this.ready.catch(() => undefined);
    return address;
  }

  /** @throws OptionError for an address that is taken or not this machine's */
  async #openPort(): Promise<string> {
    const { host, port } = this.#address;
    try {
      const [first = host, ...others] = await addressesOf(host);
      const url = await this.#app.listen({
        host: first,
        port,
        listenTextResolver: (listening) => `listening on ${listening}`,
      });
      for (const other of others) await this.#listenBeside(other, Number(new URL(url).port));
      return url;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EADDRINUSE")
        throw new OptionError(
          "port",
          `${port}, which another program has,`,
          "a free one; 0 takes any",
        );
      if (code === "EACCES")
        throw new OptionError(
          "port",
          `${port}, which only administrators may open,`,
          "one from 1024 on",
        );
      if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND") {
        throw new OptionError(
          "host",
          `"${host}"`,
          "an address of this machine, as 127.0.0.1 or 0.0.0.0",
        );
      }
      throw error;
    }
  }

  /** The server is reached at its first address all the same. */
  async #listenBeside(host: string, port: number): Promise<void> {
    const { log, server } = this.#app;
    try {
      this.#further.push(await listenBeside(server, { host, port }));
      log.info(`listening on ${host}, too`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn(`not listening on ${host}, which localhost is, too: ${reason}`);
    }
  }

  get ready(): Promise<void> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async close(): Promise<void> {
    this.condition = { kind: "ending" };
    await this.#planning.close();
    const idle = setInterval(() => this.#connections.closeIdle(), drainStep);
    try {
      await Promise.all([this.#app.close(), ...this.#further.splice(0).map(closeAddress)]);
    } finally {
      clearInterval(idle);
    }
    await this.#models.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Which there are, where one is loaded when it is first asked for. What cannot be listed now may be there later. */
  async #sayModels(): Promise<void> {
    const { log } = this.#app;
    try {
      const names = (await this.#models.catalogue.list()).map(({ name }) => name);
      if (names.length > 0) log.info(modelsSentence(names));
      else log.warn("there is no model here yet: hearth pull fetches one, -m names a file");
    } catch (error) {
      log.warn(`the models cannot be listed: ${error instanceof Error ? error.message : error}`);
    }
  }

  async #load(): Promise<void> {
    if (this.#models.catalogue.only === undefined) return await this.#sayModels();
    try {
      const lease = await this.#models.acquire(undefined, { signal: new AbortController().signal });
      lease[Symbol.dispose]();
      if (this.condition.kind === "loading") this.condition = { kind: "ok" };
    } catch (error) {
      const cause = error instanceof ModelLoadError ? error.cause : error;
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.condition = { kind: "failed", reason };
      throw cause;
    }
  }
}

/** So many names are said; /v1/models has all. */
const mostNamed = 8;

function modelsSentence(names: readonly string[]): string {
  const more = names.length - mostNamed;
  const rest = more > 0 ? ` and ${more} more` : "";
  const named = names.slice(0, mostNamed).join(", ");
  return `serves ${named}${rest}; a model is loaded when it is first asked for`;
}

function catalogueOf({ model, name, models }: ResolvedServerOptions): Catalogue {
  if (model !== undefined) return oneModel(model, name);
  return models === undefined ? localModels() : folderOfModels(models);
}
