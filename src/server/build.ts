/** The HTTP side, without a socket: fastify with the guards, the dialects and the description of all routes. */
import swagger from "@fastify/swagger";
import { type FastifyBaseLogger, type FastifyError, fastify, LogController } from "fastify";
import { isRecord } from "../core/check-options.ts";
import { ownVersion } from "../core/version.ts";
import type { App, Dialect, ServerContext } from "./context.ts";
import { dialects } from "./dialects.ts";
import { failureOf, RequestError } from "./errors.ts";
import { createKeyCheck } from "./guard/api-key.ts";
import { createHostCheck } from "./guard/host-check.ts";
import { createOriginCheck } from "./guard/origins.ts";
import { addHealthRoutes, type Condition } from "./health.ts";
import { KnownMethods } from "./known-methods.ts";
import { addNeuronRoute } from "./neurons/neurons.ts";
import { openai } from "./openai/openai.ts";
import { createRouteDescriptions, failedAnswers, okAnswer } from "./openapi.ts";
import type { ResolvedServerOptions } from "./options.ts";
import { addPage } from "./page/page.ts";

export interface Built {
  readonly context: ServerContext;
  readonly options: ResolvedServerOptions;
  condition(): Condition;
}

export async function buildApp({ context, options, condition }: Built): Promise<App> {
  const { limits } = context;
  const app: App = fastify({
    loggerInstance: context.log as FastifyBaseLogger,
    // A request is logged when it has ended: addLog.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestTime,
    keepAliveTimeout: limits.keepAliveTime,
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true },
  });
  app.setValidatorCompiler(() => (value) => ({ value }));
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  acceptJson(app);
  addGuards(app, options);
  addLog(app, context);
  const descriptions = createRouteDescriptions();
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "hearth", version: ownVersion(), description: "Local LLM inference." },
    },
    transform: descriptions.route,
  });
  answerErrors(app, openai);
  answerUnknownPaths(app, openai);
  await app.register(async (scope) => {
    describeErrors(scope, openai);
    addHealthRoutes(scope, condition);
    addMetricsRoute(scope, context);
    addNeuronRoute(scope, context);
  });
  addPage(app);
  app.get("/openapi.json", { schema: { hide: true } }, () => {
    return { ...app.swagger(), components: { schemas: descriptions.components } };
  });
  for (const dialect of dialects) {
    await app.register(async (scope) => {
      answerErrors(scope, dialect);
      describeErrors(scope, dialect);
      dialect.routes(scope, context);
    });
  }
  return app;
}

/** A body is JSON whatever its type says: curl -d sends forms' type. A page cannot use that: see guard/origins.ts. */
function acceptJson(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string" }, (_, body, done) => {
    try {
      done(null, body === "" ? {} : JSON.parse(String(body)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      done(new RequestError("invalid request", `the body is no JSON: ${reason}`));
    }
  });
}

function addMetricsRoute(app: App, { metrics }: ServerContext): void {
  const schema = {
    summary: "What the server counted, for Prometheus",
    tags: ["server"],
    response: okAnswer({ text: "text/plain" }),
  };
  app.get("/metrics", { schema }, async (_, reply) => {
    reply.type(metrics.contentType);
    return await metrics.text();
  });
}

/** Before anything of a request is read. */
function addGuards(app: App, { apiKeys, cors, allowedHosts }: ResolvedServerOptions): void {
  const checkHost = apiKeys.length === 0 ? createHostCheck(allowedHosts) : undefined;
  const checkOrigin = createOriginCheck(cors);
  const checkKey = apiKeys.length > 0 ? createKeyCheck(apiKeys) : undefined;
  app.addHook("onRequest", async (request, reply) => {
    checkHost?.(request);
    if (checkOrigin(request, reply)) return reply;
    checkKey?.(request);
    return undefined;
  });
}

function addLog(app: App, { metrics, log }: ServerContext): void {
  app.addHook("onResponse", async ({ method, routeOptions, url }, reply) => {
    const { statusCode, elapsedTime } = reply;
    const [path] = url.split("?");
    metrics.countRequest(routeOptions.url ?? "unknown", statusCode);
    const isGone = !reply.raw.writableFinished;
    log.info(
      { method, path, status: statusCode, milliseconds: Math.round(elapsedTime), isGone },
      `${method} ${path} ${isGone ? "client gone" : statusCode}, ${elapsedTime.toFixed(0)} ms`,
    );
  });
}

/** In the words of one dialect. */
function answerErrors(app: App, dialect: Dialect): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const failure = failureOf(error);
    if (failure.status >= 500) request.log.error({ err: error }, failure.message);
    if (failure.retryAfterSeconds !== undefined) {
      reply.header("retry-after", String(failure.retryAfterSeconds));
    }
    return reply.code(failure.status).send(dialect.errorBody(failure));
  });
}

/** Every route may fail in the ways of its dialect. */
function describeErrors(app: App, { errorAnswer }: Dialect): void {
  const failed = failedAnswers(errorAnswer);
  app.addHook("onRoute", (route) => {
    const answers = isRecord(route.schema?.response) ? route.schema.response : {};
    route.schema = { ...route.schema, response: { ...failed, ...answers } };
  });
}

/** Before a body is read, which may be one that no route takes: QUERY is refused by fastify for a type that is missing. */
function answerUnknownPaths(app: App, dialect: Dialect): void {
  const methods = new KnownMethods(app);
  app.addHook("onRequest", async (request, reply) => {
    if (!request.is404) return undefined;
    const { method, url } = request;
    const [path = ""] = url.split("?");
    const allowed = methods.of(path);
    const message =
      allowed.length > 0
        ? `${path} takes ${allowed.join(", ")}, not ${method}`
        : `there is no ${method} ${path} here; /openapi.json lists what there is`;
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    const { failure } = new RequestError(
      allowed.length > 0 ? "method not allowed" : "not found",
      message,
    );
    return reply.code(failure.status).send(dialect.errorBody(failure));
  });
}
