/** JSON schemas as forms, against an independent validator (ajv): what it accepts can be written, and nothing else. */
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormError } from "../../core/errors.ts";
import { createRandom } from "../../core/random.ts";
import { randomText, schemaForm } from "../fixture.ts";
import { enforcedKeywords, refusedKeywords } from "./keywords.ts";

/** `npm run prove:forms` takes a hundred times as many. */
const runs = process.env["HEARTH_FORMS"] === undefined ? 50 : Number(process.env["HEARTH_FORMS"]);

const ajv = new Ajv2020({ strict: false, allowUnionTypes: true });
addFormats.default(ajv);

/** Whether the form has the value in its spelling. Keys of objects are in the order of the schema in these tests. */
function writes(schema: unknown, value: unknown): boolean {
  return schemaForm(schema).accepts(JSON.stringify(value));
}

const names = ["a", "b", "c", "long name", "ä"] as const;

const scalars: fc.Arbitrary<unknown> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer({ min: -30, max: 30 }),
  fc.double({ min: -3, max: 3, noNaN: true }).map((value) => Number(value.toFixed(2)) || 0),
  fc.constantFrom("", "a", "ab", "abc", 'quo"te', "tab\t", "é", "😀", "x-1", "2024-02-29", "aaaa"),
);

/** Values whose objects have their names in one order. */
const values: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalars,
    fc.array(tie("value"), { maxLength: 3 }),
    fc
      .tuple(...names.map(() => fc.option(tie("value"), { freq: 1 })))
      .map((members) =>
        Object.fromEntries(
          names.flatMap((name, i) => (members[i] === null ? [] : [[name, members[i]]])),
        ),
      ),
  ),
})).value;

function limits<Low extends string, High extends string>(
  low: Low,
  high: High,
  max: number,
): fc.Arbitrary<object> {
  return fc
    .tuple(fc.option(fc.integer({ min: 0, max })), fc.option(fc.integer({ min: 0, max })))
    .map(([one, other]) => ({
      ...(one !== null && { [low]: Math.min(one, other ?? one) }),
      ...(other !== null && { [high]: Math.max(one ?? other, other) }),
    }));
}

const numberLimits = fc
  .tuple(
    fc.constantFrom("minimum", "exclusiveMinimum", "none"),
    fc.constantFrom("maximum", "exclusiveMaximum", "none"),
    fc.integer({ min: -250, max: 250 }),
    fc.integer({ min: 1, max: 300 }),
    fc.constantFrom(1, 10, 100),
  )
  .map(([low, high, from, width, scale]) => ({
    ...(low !== "none" && { [low]: from / scale }),
    ...(high !== "none" && { [high]: (from + width) / scale }),
  }));

const schemas: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  schema: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<unknown>(true, { type: "null" }, { type: "boolean" }, {}),
    fc.uniqueArray(scalars, { minLength: 1, maxLength: 4 }).map((list) => ({ enum: list })),
    numberLimits.map((range) => ({ type: "number", ...range })),
    fc
      .tuple(numberLimits, fc.option(fc.integer({ min: 1, max: 12 })))
      .map(([range, multipleOf]) => ({
        type: "integer",
        ...range,
        ...(multipleOf !== null && { multipleOf }),
      })),
    fc
      .tuple(
        limits("minLength", "maxLength", 5),
        fc.constantFrom(
          {},
          { pattern: "a+" },
          { pattern: "^[a-z]*$" },
          { pattern: "^x|b$" },
          { format: "date" },
        ),
      )
      .map((parts) => Object.assign({ type: "string" }, ...parts)),
    fc
      .tuple(
        limits("minItems", "maxItems", 3),
        tie("schema"),
        fc.array(tie("schema"), { maxLength: 2 }),
      )
      .map(([range, items, prefixItems]) => ({
        type: "array",
        ...range,
        items,
        ...(prefixItems.length > 0 && { prefixItems }),
      })),
    fc
      .tuple(
        fc.tuple(...names.slice(0, 3).map(() => fc.option(tie("schema"), { freq: 2 }))),
        fc.subarray([...names]),
        fc.option(fc.oneof(fc.constant(false), tie("schema"))),
        fc.constantFrom(
          {},
          { maxProperties: 2 },
          { minProperties: 1 },
          { propertyNames: { maxLength: 1 } },
          { patternProperties: { "^l": { type: "string" } } },
        ),
      )
      .map(([members, required, additionalProperties, more]) => ({
        type: "object",
        properties: Object.fromEntries(
          names.slice(0, 3).flatMap((name, i) => (members[i] === null ? [] : [[name, members[i]]])),
        ),
        required,
        ...(additionalProperties !== null && { additionalProperties }),
        ...more,
      })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 2 }).map((allOf) => ({ allOf })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((oneOf) => ({ oneOf })),
    fc.tuple(tie("schema"), tie("schema")).map(([not, schema]) => ({ allOf: [schema], not })),
    fc
      .tuple(tie("schema"), tie("schema"), tie("schema"))
      .map(([condition, then, otherwise]) => ({ if: condition, then, else: otherwise })),
    fc
      .tuple(
        tie("schema"),
        limits("minItems", "maxItems", 3),
        limits("minContains", "maxContains", 2),
      )
      .map(([contains, counts, matches]) => ({ type: "array", contains, ...counts, ...matches })),
    fc
      .tuple(tie("schema"), tie("schema"), fc.constantFrom("anyOf", "allOf", "oneOf"))
      .map(([one, other, together]) => ({
        [together]: [
          { properties: { a: one }, required: ["a"] },
          { properties: { b: other }, required: ["b"] },
        ],
        type: "object",
        unevaluatedProperties: false,
      })),
    fc.tuple(tie("schema"), tie("schema")).map(([schema, unevaluatedItems]) => ({
      anyOf: [{ prefixItems: [schema] }, { prefixItems: [true, schema] }],
      type: "array",
      unevaluatedItems,
    })),
    fc.tuple(tie("schema"), fc.subarray([...names])).map(([schema, required]) => ({
      type: "object",
      dependentRequired: { a: required },
      dependentSchemas: { b: schema },
    })),
    fc.constantFrom<unknown>(
      { type: ["string", "null"], maxLength: 2 },
      { type: "array", items: { enum: ["a", "b", null] }, uniqueItems: true },
    ),
  ),
})).schema;

/** ajv's code for unevaluatedItems in branches names a variable of another branch, for some schemas and values. */
function canJudge(isValid: (value: unknown) => boolean, value: unknown): boolean {
  try {
    isValid(value);
    return true;
  } catch (error) {
    if (error instanceof ReferenceError) return false;
    throw error;
  }
}

/** Undefined where it is refused, or allows nothing. */
function compiled(schema: unknown): ReturnType<typeof schemaForm> | undefined {
  try {
    return schemaForm(schema);
  } catch (error) {
    if (error instanceof FormError) return undefined;
    throw error;
  }
}

/** The same value with its objects' names in an order that the form may have. */
function* ordered(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    yield* product(value).map((items) => items);
    return;
  }
  if (typeof value !== "object" || value === null) {
    yield value;
    return;
  }
  for (const entries of permutations(Object.entries(value))) {
    for (const members of product(entries.map(([, each]) => each))) {
      yield Object.fromEntries(entries.map(([name], i) => [name, members[i]]));
    }
  }
}

function product(list: readonly unknown[]): readonly (readonly unknown[])[] {
  let all: (readonly unknown[])[] = [[]];
  for (const each of list) {
    const ways = [...ordered(each)];
    all = all.flatMap((front) => ways.map((way) => [...front, way])).slice(0, 500);
  }
  return all;
}

function permutations<Item>(list: readonly Item[]): readonly (readonly Item[])[] {
  if (list.length <= 1) return [list];
  return list.flatMap((each, i) =>
    permutations(list.toSpliced(i, 1)).map((rest) => [each, ...rest]),
  );
}

describe("a JSON schema as a form", () => {
  it("writes exactly the values that an independent validator accepts", {
    timeout: 20_000 + runs * 200,
  }, () => {
    let valid = 0;
    let invalid = 0;
    fc.assert(
      fc.property(
        schemas,
        fc.array(values, { minLength: 8, maxLength: 12 }),
        (schema, candidates) => {
          const form = compiled(schema);
          if (form === undefined) return;
          const isValid = ajv.compile(schema as object);
          for (const value of candidates) {
            if (!canJudge(isValid, value)) return;
            const isWritten = [...ordered(value)].some((each) =>
              form.accepts(JSON.stringify(each)),
            );
            if (isValid(value)) valid++;
            else invalid++;
            expect({ value, isWritten }).toEqual({ value, isWritten: isValid(value) });
          }
        },
      ),
      { numRuns: runs, seed: 1 },
    );
    expect(valid).toBeGreaterThan(runs / 2);
    expect(invalid).toBeGreaterThan(runs / 2);
  });

  it("writes no text that the validator refuses, whichever bytes are chosen", {
    timeout: 20_000 + runs * 200,
  }, () => {
    let ended = 0;
    fc.assert(
      fc.property(schemas, fc.nat(), (schema, seed) => {
        const form = compiled(schema);
        if (form === undefined) return;
        const isValid = ajv.compile(schema as object);
        const random = createRandom(seed);
        for (let i = 0; i < 5; i++) {
          const text = randomText(form, random, 1500);
          if (text === undefined || !canJudge(isValid, JSON.parse(text))) continue;
          ended++;
          expect({ text, isValid: isValid(JSON.parse(text)) }).toEqual({ text, isValid: true });
        }
      }),
      { numRuns: runs, seed: 2 },
    );
    expect(ended).toBeGreaterThan(runs);
  });

  it("enforces each keyword that it takes: a value that breaks it cannot be written", () => {
    const cases: Readonly<Record<string, readonly [schema: unknown, good: unknown, bad: unknown]>> =
      {
        $ref: [{ $defs: { n: { type: "null" } }, $ref: "#/$defs/n" }, null, 1],
        type: [{ type: ["integer", "null"] }, 3, 3.5],
        enum: [{ enum: ["a", { b: [1] }] }, { b: [1] }, "b"],
        const: [{ const: [1, "é"] }, [1, "é"], [1]],
        allOf: [{ allOf: [{ minimum: 2 }, { maximum: 3 }], type: "number" }, 2.5, 3.5],
        anyOf: [{ anyOf: [{ type: "null" }, { const: 7 }] }, 7, 8],
        oneOf: [{ oneOf: [{ type: "null" }, { const: 7 }] }, null, 8],
        minimum: [{ minimum: -1.5, type: "number" }, -1.5, -1.51],
        maximum: [{ maximum: 120, type: "integer" }, 120, 121],
        exclusiveMinimum: [{ exclusiveMinimum: 0, type: "number" }, 0.1, 0],
        exclusiveMaximum: [{ exclusiveMaximum: 1, type: "number" }, 0.99, 1],
        multipleOf: [{ multipleOf: 7, type: "integer" }, 343, 344],
        minLength: [{ minLength: 2, type: "string" }, "😀é", "😀"],
        maxLength: [{ maxLength: 2, type: "string" }, "😀\n", "abc"],
        pattern: [{ pattern: "\\d$", type: "string" }, "a\u00014", "4a"],
        format: [{ format: "date", type: "string" }, "2024-02-29", "2023-02-29"],
        minItems: [{ minItems: 2, type: "array" }, [1, []], [1]],
        maxItems: [{ maxItems: 1, type: "array" }, [{}], [1, 2]],
        uniqueItems: [
          { uniqueItems: true, items: { type: "boolean" }, type: "array" },
          [true, false],
          [true, true],
        ],
        prefixItems: [{ prefixItems: [{ const: 1 }], type: "array" }, [1, 2], [2]],
        items: [{ prefixItems: [true], items: { const: 1 }, type: "array" }, [2, 1], [1, 2]],
        minProperties: [{ minProperties: 1, type: "object" }, { a: 1 }, {}],
        maxProperties: [{ maxProperties: 1, type: "object" }, { a: 1 }, { a: 1, b: 2 }],
        required: [{ required: ["z"], type: "object" }, { z: 1 }, { y: 1 }],
        properties: [{ properties: { a: { const: 1 } }, type: "object" }, { a: 1, x: 2 }, { a: 2 }],
        patternProperties: [
          { patternProperties: { "^x": { const: 1 } }, type: "object" },
          { xa: 1, y: 2 },
          { xa: 2 },
        ],
        additionalProperties: [
          { properties: { a: true }, additionalProperties: false, type: "object" },
          { a: 1 },
          { b: 1 },
        ],
        propertyNames: [{ propertyNames: { maxLength: 1 }, type: "object" }, { a: 1 }, { ab: 1 }],
        not: [{ not: { enum: ["a", 2, null, true] } }, 2.5, 2],
        if: [{ if: { type: "string" }, else: { const: 1 } }, "any", 2],
        // biome-ignore lint/suspicious/noThenProperty: the keyword's name.
        then: [{ if: { type: "integer" }, then: { minimum: 3 } }, 2.5, 2],
        else: [
          { if: { required: ["a"] }, else: { type: "object", maxProperties: 0 } },
          {},
          { b: 1 },
        ],
        dependentRequired: [{ dependentRequired: { a: ["b"] } }, { b: 1 }, { a: 1 }],
        dependentSchemas: [
          { dependentSchemas: { a: { maxProperties: 1 } } },
          { a: 1 },
          { a: 1, b: 2 },
        ],
        dependencies: [
          { dependencies: { a: ["b"], c: { required: ["d"] } } },
          { a: 1, b: 1 },
          { c: 1 },
        ],
        contains: [{ contains: { const: 1 } }, [2, 1, 1], [2]],
        minContains: [{ contains: { const: 1 }, minContains: 2 }, [1, 2, 1], [1, 2]],
        maxContains: [{ contains: { const: 1 }, maxContains: 1 }, [1, 2], [1, 2, 1]],
        additionalItems: [
          { items: [{ const: 1 }], additionalItems: { const: 2 } },
          [1, 2, 2],
          [1, 1],
        ],
        unevaluatedItems: [
          { allOf: [{ prefixItems: [true] }], unevaluatedItems: { const: 2 } },
          ["a", 2],
          ["a", 3],
        ],
        unevaluatedProperties: [
          {
            type: "object",
            anyOf: [
              { properties: { a: { type: "integer" } }, required: ["a"] },
              { properties: { b: { type: "integer" } }, required: ["b"] },
            ],
            unevaluatedProperties: false,
          },
          { a: 1, b: 1 },
          { a: 1, b: "1" },
        ],
        $dynamicRef: [
          { $dynamicRef: "#n", $defs: { n: { $dynamicAnchor: "n", type: "null" } } },
          null,
          1,
        ],
      };
    expect(Object.keys(cases).sort()).toEqual(Object.keys(enforcedKeywords).sort());
    for (const [keyword, [schema, good, bad]] of Object.entries(cases)) {
      expect({ keyword, good: writes(schema, good), bad: writes(schema, bad) }).toEqual({
        keyword,
        good: true,
        bad: false,
      });
    }
  });

  it("refuses by name and place what it cannot keep, and what it does not know", () => {
    for (const keyword of refusedKeywords.keys()) {
      expect(() => schemaForm({ items: { [keyword]: {} } })).toThrow(
        new RegExp(`^schema at #/items/${keyword.replace("$", "\\$")}: `),
      );
    }
    expect(() => schemaForm({ typo: 1 })).toThrow(/#\/typo: is no keyword that is known/);
    expect(writes({ "x-order": 3, type: "null" }, null)).toBe(true);
    expect(() => schemaForm({ xtype: "null" })).toThrow(/#\/xtype: is no keyword/);
    expect(() => schemaForm({ pattern: "(?=a)" })).toThrow(/#\/pattern: .*look-ahead/);
    expect(() => schemaForm({ format: "colour" })).toThrow(/#\/format: "colour" is no format/);
    expect(() => schemaForm({ type: "number", multipleOf: 0.1 })).toThrow(/multipleOf 0.1/);
    expect(() =>
      schemaForm({ oneOf: [{ type: "object" }, { patternProperties: { a: { const: 1 } } }] }),
    ).toThrow(/#\/oneOf: branches may have a value in common, .*patternProperties has no contrary/);
    expect(() => schemaForm({ not: { multipleOf: 2 } })).toThrow(
      /#\/not\/multipleOf: has no contrary/,
    );
    expect(() => schemaForm({ type: "array", uniqueItems: true })).toThrow(/#\/uniqueItems/);
    expect(() => schemaForm({ $ref: "other.json" })).toThrow(/leads out of the schema/);
  });

  it("keeps items distinct out of more values where there are but a few items", () => {
    const items = { enum: Array.from({ length: 30 }, (_, i) => `v${i}`) };
    const pairs = { type: "array", items, uniqueItems: true, maxItems: 2 };
    expect(writes(pairs, ["v29", "v0"])).toBe(true);
    expect(writes(pairs, ["v29", "v29"])).toBe(false);
    expect(writes(pairs, ["v29", "v0", "v1"])).toBe(false);
    expect(() => schemaForm({ ...pairs, maxItems: 3 })).toThrow(/#\/uniqueItems: .*many values/);
    const one = { type: "array", items: { const: { a: 1 } }, uniqueItems: true };
    expect(writes(one, [{ a: 1 }])).toBe(true);
    expect(writes(one, [{ a: 1 }, { a: 1 }])).toBe(false);
  });

  it("follows references that recur, and refuses one that only leads back to itself", () => {
    const tree = {
      type: "object",
      properties: {
        value: { type: "integer" },
        next: { anyOf: [{ $ref: "#" }, { type: "null" }] },
      },
      required: ["value", "next"],
      additionalProperties: false,
    };
    expect(writes(tree, { value: 1, next: { value: 2, next: null } })).toBe(true);
    expect(writes(tree, { value: 1, next: { value: 2 } })).toBe(false);
    expect(() =>
      schemaForm({ $defs: { a: { anyOf: [{ $ref: "#/$defs/a" }, true] } }, $ref: "#/$defs/a" }),
    ).toThrow(/refers to itself without end/);
  });

  it("writes spaces behind commas and colons, or none, and nowhere else", () => {
    const form = schemaForm({ type: "object" });
    expect(form.accepts('{"a": 1, "b":2}')).toBe(true);
    expect(form.accepts('{ "a": 1}')).toBe(false);
    expect(form.accepts('{"a":  1}')).toBe(false);
    expect(form.accepts('{"a":1}\n')).toBe(false);
  });

  it("has ended behind a value that two alternatives have", () => {
    const isNull = { type: "null" };
    const { states } = schemaForm({ anyOf: [{ anyOf: [isNull, { const: null }] }, { ...isNull }] });
    let state = states.start;
    for (const byte of Buffer.from("null")) state = states.afterByte(state, byte);
    expect(state).toBe(states.ended);
  });

  it("takes a oneOf whose branches are told apart by a required constant", () => {
    const branch = (kind: string): object => ({
      type: "object",
      properties: { kind: { const: kind }, size: { type: "integer" } },
      required: ["kind"],
    });
    expect(writes({ oneOf: [branch("a"), branch("b")] }, { kind: "b", size: 3 })).toBe(true);
    expect(writes({ oneOf: [branch("a"), branch("b")] }, { kind: "c", size: 3 })).toBe(false);
  });
});
