/** How a route appears in /openapi.json: zod's schemas become JSON Schema. */
import type { FastifySchema } from "fastify";
import { z } from "zod";

/** `schema` of a route, with JSON Schema in place of zod's. */
export function describeRoute<
  Route extends { readonly schema: FastifySchema; readonly url: string },
>({ schema, url }: Route): { schema: FastifySchema; url: string } {
  const { body, params, querystring, response, ...rest } = schema ?? {};
  return {
    url,
    schema: {
      ...rest,
      ...input({ body, params, querystring }),
      ...(isParts(response) && { response: output(response) }),
    },
  };
}

function input(parts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mapSchemas(parts, "input");
}

function output(parts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mapSchemas(parts, "output");
}

function mapSchemas(
  parts: Readonly<Record<string, unknown>>,
  io: "input" | "output",
): Record<string, unknown> {
  const zods = Object.entries(parts).filter(
    (part): part is [string, z.ZodType] => part[1] instanceof z.ZodType,
  );
  return Object.fromEntries(zods.map(([name, schema]) => [name, z.toJSONSchema(schema, { io })]));
}

function isParts(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
