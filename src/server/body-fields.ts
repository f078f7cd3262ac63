/**
 * Fields of a request's body. One that hearth uses is judged by its schema. One that cannot change an answer (`user`) is
 * taken and named in a header. One that would change it and that hearth lacks is refused by its name, and so is an unknown
 * one, unless the server was told to ignore those. `null` is a field that was not given. docs/decisions/0024-server.md
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { isRecord } from "../core/check-options.ts";
import { editDistance } from "../core/edit-distance.ts";
import type { ServerContext } from "./context.ts";
import { RequestError } from "./errors.ts";

export interface BodyFields<Body> {
  /** An object of the fields that are used: their values are judged by it. */
  readonly schema: z.ZodType<Body>;
  /** Without any effect on an answer here. */
  readonly idle: readonly string[];
  /** Not there: a sentence each that says why, or what to use. A value in `neutral` asks for nothing. */
  readonly absent: Readonly<Record<string, AbsentField>>;
  /** What of a judged body has no effect inside its fields, for the header. */
  idleWithin?(body: Body): readonly string[];
}

export interface AbsentField {
  readonly reason: string;
  /** Whether a value asks for nothing that hearth lacks. */
  readonly isNeutral?: (value: unknown) => boolean;
}

/** Names the fields that a request has without an effect: "user, store". */
const ignoredHeader = "x-hearth-ignored-fields";

/** Judges the body of a request: which fields it has, then their values. @throws RequestError naming the field */
export function createBodyCheck<Body>(
  fields: BodyFields<Body>,
  { unknownFields }: Pick<ServerContext, "unknownFields">,
): (request: FastifyRequest, reply: FastifyReply) => Body {
  const used = new Set(namesIn(fields.schema));
  const known = [...used, ...fields.idle, ...Object.keys(fields.absent)];
  const isIgnored = (name: string, value: unknown): boolean => {
    const absent = Object.hasOwn(fields.absent, name) ? fields.absent[name] : undefined;
    if (absent !== undefined) refuseUnlessNeutral(name, value, absent);
    else if (!fields.idle.includes(name) && unknownFields === "refuse")
      throw unknownField(name, known);
    return absent === undefined;
  };
  return ({ body }, reply) => {
    if (!isRecord(body))
      throw new RequestError("invalid request", "the body must be a JSON object");
    const given = Object.entries(body).filter(([, value]) => value !== null);
    const others = given.filter(([name]) => !used.has(name));
    const ignored = others.filter(([name, value]) => isIgnored(name, value));
    const judged = fields.schema.safeParse(
      Object.fromEntries(given.filter(([name]) => used.has(name))),
    );
    const names = [
      ...ignored.map(([name]) => name),
      ...(judged.success ? (fields.idleWithin?.(judged.data) ?? []) : []),
    ];
    if (names.length > 0) reply.header(ignoredHeader, inHeader(names));
    if (judged.success) return judged.data;
    throw schemaError(judged.error);
  };
}

function namesIn(schema: z.ZodType): readonly string[] {
  return Object.keys(shapeOf(schema));
}

function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  return schema instanceof z.ZodObject
    ? (schema as z.ZodObject<Record<string, z.ZodType>>).shape
    : {};
}

/**
 * The same as /openapi.json says it: nothing but these fields, of which those that need not be there may be null. `inOptions`:
 * those that stand in `options`.
 */
export function bodySchema<Body>(
  { schema, idle }: BodyFields<Body>,
  inOptions: (name: string) => boolean = () => false,
): z.ZodType {
  const used = Object.entries(shapeOf(schema)).map(
    ([name, field]) => [name, field.isOptional() ? field.nullable() : field] as const,
  );
  const unused = idle.map((name) => [name, withoutEffect] as const);
  const all = [...used, ...unused];
  const options = all.filter(([name]) => inOptions(name));
  const fields = {
    ...Object.fromEntries(all.filter(([name]) => !inOptions(name))),
    ...(options.length > 0 && {
      options: z.strictObject(Object.fromEntries(options)).nullish(),
    }),
  };
  const id = z.globalRegistry.get(schema)?.id;
  return z.strictObject(fields).meta(id === undefined ? {} : { id });
}

const withoutEffect = z.unknown().optional().describe("Without effect, and named in a header");

function refuseUnlessNeutral(
  name: string,
  value: unknown,
  { reason, isNeutral }: AbsentField,
): void {
  if (isNeutral?.(value)) return;
  throw new RequestError("not supported", `${name}: ${reason}`, { field: name });
}

function unknownField(name: string, known: readonly string[]): RequestError {
  const nearest = known.reduce((best, one) =>
    editDistance(name, one) < editDistance(name, best) ? one : best,
  );
  const isNear = editDistance(name, nearest) <= name.length / 3;
  const hint = isNear
    ? `did you mean "${nearest}"?`
    : "serve --ignore-unknown takes it without effect";
  const message = `"${name}" is not a field that hearth knows; ${hint}`;
  return new RequestError("invalid request", message, { field: name });
}

/** So many are named; a body may have thousands. */
const mostNamed = 40;

/** Names come from the client: what no header may hold is left out. */
function inHeader(names: readonly string[]): string {
  const named = names
    .slice(0, mostNamed)
    .map((name) => name.replaceAll(/[^\w.$-]/g, "?").slice(0, 60));
  return [...named, ...(names.length > mostNamed ? ["..."] : [])].join(", ");
}

/** "messages[0].role: Invalid option …": the first thing that a schema finds wrong. */
function schemaError({ issues }: z.core.$ZodError): RequestError {
  const [issue] = issues;
  const field = (issue?.path ?? [])
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  const message = `${field === "" ? "the body" : field}: ${issue?.message ?? "is not valid"}`;
  return new RequestError("invalid request", message, field === "" ? {} : { field });
}
