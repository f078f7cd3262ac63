/** Mistakes and attacks: one clear error, in bounded time and memory. */
import { describe, expect, it } from "vitest";
import { FormError } from "../core/errors.ts";
import { formOf, schemaForm } from "./fixture.ts";

function nested(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let schema: unknown = { type: "null" };
  for (let i = 0; i < depth; i++) schema = wrap(schema);
  return schema;
}

/** The error of a schema; "" where there is none. */
function problemOf(schema: unknown): string {
  try {
    schemaForm(schema);
    return "";
  } catch (error) {
    if (error instanceof FormError) return error.message;
    throw error;
  }
}

describe("a form that is a mistake or an attack", () => {
  it("contradicts itself: the error names the place", () => {
    const property = (schema: object): object => ({ type: "object", properties: { a: schema } });
    expect(problemOf(property({ minimum: 3, maximum: 2 }))).toMatch(
      /#\/properties\/a: no value has minimum 3/,
    );
    expect(problemOf(property({ exclusiveMinimum: 2, maximum: 2 }))).toMatch(
      /exclusiveMinimum 2 and maximum 2/,
    );
    expect(problemOf(property({ minLength: 3, maxLength: 2 }))).toMatch(/minLength 3/);
    expect(problemOf(property({ minItems: 3, maxItems: 2 }))).toMatch(/minItems 3/);
    expect(problemOf(property({ enum: [] }))).toMatch(/#\/properties\/a\/enum: is an empty list/);
    expect(problemOf(property({ type: "text" }))).toMatch(/#\/properties\/a\/type: is "text"/);
    expect(problemOf(property({ maxLength: -1 }))).toMatch(/whole number of at least 0/);
    expect(problemOf({ allOf: [{ type: "string" }, { type: "number" }] })).toMatch(
      /no finite text/,
    );
    expect(problemOf(false)).toMatch(/no finite text/);
    expect(
      problemOf({
        $defs: { a: { items: { $ref: "#/$defs/a" }, minItems: 1, type: "array" } },
        $ref: "#/$defs/a",
      }),
    ).toMatch(/no finite text/);
  });

  it("is of any depth or size", () => {
    expect(problemOf(nested(10_000, (items) => ({ type: "array", items })))).toMatch(
      /more than 400 levels deep/,
    );
    expect(problemOf(nested(10_000, (inner) => ({ allOf: [inner] })))).toMatch(/levels deep/);
    expect(problemOf(nested(180, (items) => ({ type: "array", items })))).toBe("");
    const many = Array.from({ length: 110_000 }, (_, i) => i);
    expect(problemOf({ enum: many })).toMatch(/more than 60,000 values/);
    expect(problemOf({ const: "x".repeat(3_000_000) })).toMatch(/more than 2,000,000 characters/);
    expect(problemOf({ description: "x".repeat(3_000_000), type: "null" })).toBe("");
    const circle: Record<string, unknown> = {};
    circle["items"] = circle;
    expect(problemOf(circle)).toMatch(/levels deep/);
  });

  it("explodes: alternatives of alternatives, patterns that count each other, multiples of large numbers", () => {
    const branches = (n: number): object => ({
      anyOf: Array.from({ length: 10 }, (_, i) => ({ minimum: i + n })),
    });
    expect(problemOf({ allOf: Array.from({ length: 12 }, (_, i) => branches(i)) })).toMatch(
      /more than 4000 cases/,
    );
    expect(problemOf({ type: "string", pattern: "(a|b)*a(a|b){30}c", maxLength: 100_000 })).toMatch(
      /more than 10000 states/,
    );
    expect(problemOf({ type: "integer", multipleOf: 99_991 })).toMatch(/too many to tell apart/);
    expect(
      problemOf({ allOf: [{ multipleOf: 99_991 }, { multipleOf: 99_989 }], type: "integer" }),
    ).toMatch(/too many/);
    expect(() => formOf({ kind: "regex", regex: "a".repeat(100_000) })).toThrow(
      /has 100000 characters/,
    );
  });

  it("has conditions that must all be known at once: one error", () => {
    const names = Array.from({ length: 20 }, (_, i) => `${i}`);
    const all = [...names.map((name) => `a${name}`), ...names.map((name) => `b${name}`)];
    const schema = {
      type: "object",
      properties: Object.fromEntries(all.map((name) => [name, { type: "null" }])),
      dependentRequired: Object.fromEntries(names.map((name) => [`a${name}`, [`b${name}`]])),
    };
    expect(problemOf(schema)).toMatch(/^schema at #: has conditions that depend on each other in/);
  });

  it("has many readings of one text: the answer ends with an error, not with all memory", () => {
    const form = formOf({ kind: "regex", regex: "((a{0,300}b?){0,300}c?){0,300}" });
    expect(() => form.accepts("ab".repeat(3000))).toThrow(FormError);
  });

  it("takes large honest forms", () => {
    const properties = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`key ${i}`, { type: "integer" }]),
    );
    const wide = schemaForm({ type: "object", properties });
    expect(wide.accepts('{"key 3": 1, "key 999": 2, "other": null}')).toBe(true);
    expect(wide.accepts('{"key 3": 1, "key 2": 2}')).toBe(false);
    const list = Array.from({ length: 20_000 }, (_, i) => `value ${i}`);
    expect(schemaForm({ enum: list }).accepts('"value 19999"')).toBe(true);
    const alternatives = Array.from({ length: 200 }, (_, i) => ({
      type: "object",
      properties: { kind: { const: i } },
      required: ["kind"],
    }));
    expect(schemaForm({ anyOf: alternatives }).accepts('{"kind":150}')).toBe(true);
  });
});
