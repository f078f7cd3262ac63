/** What every dialect is given: one record, made when the server is. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";
import type { z } from "zod";
import type { Failure } from "./errors.ts";
import type { Limits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import type { ModelHost } from "./models/host.ts";
import type { UnknownFields } from "./options.ts";

export interface ServerContext {
  readonly models: ModelHost;
  readonly limits: Limits;
  readonly log: FastifyBaseLogger;
  readonly metrics: Metrics;
  /** Fields of a body that no dialect knows. */
  readonly unknownFields: UnknownFields;
  /** Whether requests that change the server (load, unload, slots, files) may be taken: only with a key. */
  readonly mayChangeServer: boolean;
}

/** Fastify, with bodies that zod has judged. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypes
>;

interface ZodTypes {
  readonly schema: unknown;
  readonly validator: this["schema"] extends z.ZodType ? z.output<this["schema"]> : unknown;
  readonly serializer: unknown;
}

/** One way to speak HTTP that clients know: a folder of the server. */
export interface Dialect {
  readonly name: string;
  /** The body of an error. */
  errorBody(failure: Failure): object;
  routes(app: App, context: ServerContext): void;
}
