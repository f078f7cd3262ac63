/** How routes appear in /openapi.json: zod's schemas become JSON Schema, those with names components of the document. */
import type { FastifySchema } from "fastify";
import { z } from "zod";
import { isRecord } from "../core/check-options.ts";

type Schemas = Readonly<Record<string, unknown>>;

export interface RouteDescriptions {
  /** `schema` of a route, with JSON Schema in place of zod's. */
  route<Route extends { readonly schema: FastifySchema; readonly url: string }>(
    route: Route,
  ): { schema: FastifySchema; url: string };
  /** What the routes that were described refer to, by name. */
  readonly components: Schemas;
}

export function createRouteDescriptions(): RouteDescriptions {
  const components: Record<string, unknown> = {};
  /** Wherever zod's schemas stand in a value. */
  const described = (value: unknown, io: "input" | "output"): unknown => {
    if (value instanceof z.ZodType) return hoisted(z.toJSONSchema(value, { io }), components);
    if (!isRecord(value)) return value;
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    return Object.fromEntries(entries.map(([name, one]) => [name, described(one, io)]));
  };
  return {
    components,
    route: ({ schema, url }) => {
      const { body, params, querystring, response, ...rest } = schema ?? {};
      const asked = described({ body, params, querystring }, "input");
      const answers = described(response ?? {}, "output");
      return { url, schema: { ...rest, ...(asked as Schemas), response: answers } };
    },
  };
}

/** What a route answers where nothing is wrong. */
export interface RouteAnswers {
  /** Of a whole answer. */
  readonly json?: z.ZodType;
  /** Where the body asks for a stream: of each event or line. */
  readonly stream?: { readonly contentType: string; readonly part: z.ZodType };
  /** The type of what is no JSON. */
  readonly text?: string;
}

/** `response` of a route: by status and type. */
export function okAnswer({ json, stream, text }: RouteAnswers): Schemas {
  const content = {
    ...(json && { "application/json": { schema: json } }),
    ...(stream && {
      // OpenAPI 3.1 cannot say what the events of a stream are; some clients hold each of them against this schema.
      [stream.contentType]: { schema: z.unknown(), "x-part-schema": stream.part },
    }),
    ...(text !== undefined && { [text]: { schema: z.string() } }),
  };
  return { 200: { description: "The answer", content } };
}

const failures: Readonly<Record<number, string>> = {
  400: "What is wrong with the request",
  401: "A key is needed",
  403: "Not for this client, or not without a key",
  404: "There is no such model, or no such place",
  413: "The body is too large",
  429: "All places are taken and the queue is full; the header Retry-After says when to ask again",
  500: "An error inside hearth",
  503: "The model cannot be loaded, its device is lost, or the server is ending",
};

/** Of every route, in the words of its dialect. */
export function failedAnswers(error: z.ZodType): Schemas {
  return Object.fromEntries(
    Object.entries(failures).map(([status, description]) => [
      status,
      { description, content: { "application/json": { schema: error } } },
    ]),
  );
}

/** A schema that stands anywhere in a document: what it defines goes to `components`, unnamed parts by the schema's name. */
function hoisted(schema: Schemas, components: Record<string, unknown>): unknown {
  const { $schema: _, $defs = {}, ...root } = schema;
  const rootName = typeof root["$ref"] === "string" ? (root["$ref"].split("/").at(-1) ?? "") : "";
  const nameOf = (name: string): string =>
    name.startsWith("__") ? `${rootName}${name.replaceAll("_", "-")}` : name;
  const moved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(moved);
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => {
        const defined =
          key === "$ref" && typeof one === "string" ? /^#\/\$defs\/(.+)$/.exec(one) : null;
        return [
          key,
          defined === null ? moved(one) : `#/components/schemas/${nameOf(defined[1] ?? "")}`,
        ];
      }),
    );
  };
  for (const [name, one] of Object.entries(isRecord($defs) ? $defs : {})) {
    const { id: __, ...own } = isRecord(one) ? one : {};
    components[nameOf(name)] = moved(own);
  }
  return moved(root);
}
