/** JSON schemas as forms, against an independent validator (ajv): what it accepts can be written, and nothing else. */
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormError } from "../../core/errors.ts";
import { createRandom } from "../../core/random.ts";
import { randomText, schemaForm } from "../fixture.ts";

/** `npm run prove:forms` takes a hundred times as many. */
const runs = process.env["HEARTH_FORMS"] === undefined ? 50 : Number(process.env["HEARTH_FORMS"]);

const ajv = new Ajv2020({ strict: false, allowUnionTypes: true });
addFormats.default(ajv);

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

/** Says of objects but which of three properties they have. */
const ofProperties: fc.Arbitrary<object> = fc
  .tuple(
    fc.tuple(
      ...names.slice(0, 3).map(() =>
        fc.option(
          fc.oneof(
            fc.constantFrom<unknown>(false, true, { type: "null" }, { type: ["string", "null"] }),
            scalars.map((value) => ({ const: value })),
          ),
          { freq: 1 },
        ),
      ),
    ),
    fc.subarray(names.slice(0, 3)),
    fc.constantFrom({}, {}, { type: "object" }),
  )
  .map(([members, required, more]) => ({
    properties: Object.fromEntries(
      names.slice(0, 3).flatMap((name, i) => (members[i] === null ? [] : [[name, members[i]]])),
    ),
    ...(required.length > 0 && { required }),
    ...more,
  }));

const conditions = fc.array(
  fc.oneof(
    fc
      .tuple(ofProperties, ofProperties, ofProperties)
      .map(([condition, then, otherwise]) => ({ if: condition, then, else: otherwise })),
    fc.tuple(ofProperties, ofProperties).map(([condition, then]) => ({ if: condition, then })),
    fc.array(ofProperties, { minLength: 2, maxLength: 3 }).map((anyOf) => ({ anyOf })),
    fc.array(ofProperties, { minLength: 2, maxLength: 2 }).map((oneOf) => ({ oneOf })),
    ofProperties.map((not) => ({ not })),
    fc.subarray([...names]).map((needed) => ({ dependentRequired: { b: needed } })),
  ),
  { minLength: 1, maxLength: 4 },
);

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
    fc
      .tuple(
        ofProperties,
        conditions,
        fc.constantFrom(
          {},
          { additionalProperties: false },
          { maxProperties: 2 },
          { minProperties: 1 },
          { patternProperties: { "^[bl]": { type: "string" } } },
        ),
      )
      .map(([own, allOf, more]) => ({ ...own, allOf, ...more })),
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
});
