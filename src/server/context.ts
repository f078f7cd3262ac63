/** What every dialect is given: one record, made when the server is. */

import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import type { z } from "zod";
import type { Failure } from "./errors.ts";
import type { Planning } from "./hearth/planning.ts";
import type { Limits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelHost } from "./models/host.ts";
import type { NeuronWatches } from "./neurons/watches.ts";
import type { ResolvedServerOptions, UnknownFields } from "./options.ts";

export interface ServerContext {
  readonly models: ModelHost;
  readonly limits: Limits;
  readonly log: FastifyBaseLogger;
  readonly metrics: Metrics;
  readonly planning: Planning;
  /** With which every model is opened, unless other settings were chosen for it. */
  readonly options: ResolvedServerOptions;
  /** Who looks at answers while they are written. */
  readonly watches: NeuronWatches;
  /** Fields of a body that no dialect knows. */
  readonly unknownFields: UnknownFields;
  /** Whether requests that change the server (load, unload, slots, files) may be taken: only with a key. */
  readonly mayChangeServer: boolean;
  /** Where conversations may be saved; undefined: nowhere. */
  readonly slotFolder: string | undefined;
}

/** What dialects add their routes to. The schemas of routes describe them; a handler judges its body (body-fields.ts). */
export type App = FastifyInstance;

/** One way to speak HTTP that clients know: a folder of the server. */
export interface Dialect {
  readonly name: string;
  /** The body of an error, and its schema. */
  errorBody(failure: Failure): object;
  readonly errorAnswer: z.ZodType;
  routes(app: App, context: ServerContext): void;
}
