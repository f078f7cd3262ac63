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
  const described = (io: "input" | "output", parts: Schemas): Schemas => {
    const zods = Object.entries(parts).filter(
      (part): part is [string, z.ZodType] => part[1] instanceof z.ZodType,
    );
    return Object.fromEntries(
      zods.map(([name, schema]) => [name, hoisted(z.toJSONSchema(schema, { io }), components)]),
    );
  };
  return {
    components,
    route: ({ schema, url }) => {
      const { body, params, querystring, response, ...rest } = schema ?? {};
      const answers = isRecord(response) ? described("output", response) : {};
      return {
        url,
        schema: {
          ...rest,
          ...described("input", { body, params, querystring }),
          response: { ...otherAnswers, ...answers },
        },
      };
    },
  };
}

/** Every route has these; the bodies of errors are those of its interface. */
const otherAnswers: Schemas = {
  200: { description: "The answer; a stream where the body asks for one" },
  "4xx": { description: "What is wrong with the request, in one sentence" },
  "5xx": { description: "The model cannot be loaded, the answer failed, or the server is ending" },
};

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
