/** JSON schemas as forms, against an independent validator (ajv): what it accepts can be written, and nothing else. */
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormError } from "../../core/errors.ts";
import { createRandom } from "../../core/random.ts";
import { randomText, schemaForm, writes } from "../fixture.ts";

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

  it("takes many conditions: each costs rules between its own properties alone", () => {
    const kinds = Array.from({ length: 20 }, (_, i) => `kind${i}`);
    const schema = {
      type: "object",
      properties: {
        kind: { enum: kinds },
        ...Object.fromEntries(kinds.map((kind) => [`of_${kind}`, { type: "integer" }])),
      },
      required: ["kind"],
      allOf: kinds.map((kind) => ({
        if: { properties: { kind: { const: kind } } },
        // biome-ignore lint/suspicious/noThenProperty: the keyword's name.
        then: { required: [`of_${kind}`] },
      })),
    };
    const form = schemaForm(schema);
    expect(form.states.program.items.count).toBeLessThan(10_000);
    expect(form.accepts('{"kind":"kind7","of_kind3":1,"of_kind7":2}')).toBe(true);
    expect(form.accepts('{"kind":"kind7","of_kind3":1}')).toBe(false);
    expect(form.accepts('{"of_kind3":1}')).toBe(false);
  });

  it("parts the names of an object by any number of patterns that overlap little", () => {
    const kinds = Array.from({ length: 10 }, (_, i) => [`^k${i}-`, { const: i }] as const);
    const patternProperties = { ...Object.fromEntries(kinds), x$: { type: "integer" } };
    const schema = { type: "object", patternProperties, additionalProperties: false };
    expect(writes(schema, { "k9-a": 9, "k0-x": 0, x: 7 })).toBe(true);
    expect(writes(schema, { "k9-a": 8 })).toBe(false);
    expect(writes(schema, { "k10-a": 10 })).toBe(false);
    const overlapping = Array.from({ length: 7 }, (_, i) => [String.fromCharCode(97 + i), true]);
    expect(() => schemaForm({ patternProperties: Object.fromEntries(overlapping) })).toThrow(
      /#\/patternProperties: has patterns that part the names in more than 64 ways/,
    );
  });

  it("takes names of hosts with long labels and hyphens, but none that stand for other letters", () => {
    const host = { type: "string", format: "hostname" };
    const label = "a".repeat(63);
    for (const good of ["a", "ab", "a--b.com", `${label}.${label}.com`, "ip-10-0-0-1.eu-1.x.y.z"]) {
      expect([good, writes(host, good)]).toEqual([good, true]);
    }
    for (const bad of ["", "-a", "a-", "ab--c", "xn--c", `${label}a.com`, "a..b", "a."]) {
      expect([bad, writes(host, bad)]).toEqual([bad, false]);
    }
  });

  it("writes no empty list where one schema wants an item and another forbids all", () => {
    const list = { type: "array", maxItems: 0 };
    expect(() => schemaForm({ allOf: [list, { minItems: 1 }] })).toThrow(/no finite text matches/);
    const either = { type: ["array", "null"], allOf: [{ maxItems: 0 }, { minItems: 1 }] };
    expect([writes(either, null), writes(either, [])]).toEqual([true, false]);
    expect(() =>
      schemaForm({ allOf: [list], not: { ...list, minContains: 0, contains: true } }),
    ).toThrow(/no finite text matches/);
  });

  it("counts the characters of a URI by its parts, as pydantic bounds them", () => {
    const form = schemaForm({ type: "string", format: "uri", minLength: 1, maxLength: 2083 });
    const isUri = (text: string): boolean => form.accepts(JSON.stringify(text));
    expect(isUri("https://example.com:8080/a/b%20c.html?q=1&r=2#top")).toBe(true);
    for (const bad of ["", "example.com", "https://a b", "https:"]) expect(isUri(bad)).toBe(false);
    const part = "%20".repeat(199);
    const longest = `${"s".repeat(20)}://${"h".repeat(253)}:65535/${part}?${part}#${part}`;
    expect([longest.length <= 2083, isUri(longest)]).toEqual([true, true]);
    expect(isUri(`https://a/${"b".repeat(2083)}`)).toBe(false);
  });

  it("takes formats of OpenAPI, pydantic and zod", () => {
    const of = (format: string): object => ({ type: "string", format });
    expect([writes(of("base64"), "aGk="), writes(of("byte"), "aGk")]).toEqual([true, false]);
    expect([writes(of("base64url"), "_-8"), writes(of("base64url"), "+")]).toEqual([true, false]);
    expect([writes(of("e164"), "+4912345"), writes(of("e164"), "0123")]).toEqual([true, false]);
    expect(writes(of("ulid"), "01ARZ3NDEKTSV4RRFFQ69G5FAV")).toBe(true);
    expect(writes(of("nanoid"), "V1StGXR8_Z5jdHi6B-myT")).toBe(true);
    expect(writes(of("binary"), "\u0001")).toBe(true);
  });

  it("takes names of inner schemas where nothing refers to another", () => {
    const named = { properties: { a: { $id: "/properties/a", type: "integer" } }, type: "object" };
    expect([writes(named, { a: 1 }), writes(named, { a: "1" })]).toEqual([true, false]);
    expect(() => schemaForm({ ...named, items: { $ref: "#" } })).toThrow(
      /#\/properties\/a\/\$id: gives an inner schema a name of its own, on which/,
    );
  });

  it("counts multiples in decimals", () => {
    const price = { type: "number", multipleOf: 0.01, minimum: 0, exclusiveMaximum: 1000 };
    for (const good of [0, 0.07, 19.99, 999.9, 12])
      expect([good, writes(price, good)]).toEqual([good, true]);
    for (const bad of [0.001, 19.999, 1000, -0.01])
      expect([bad, writes(price, bad)]).toEqual([bad, false]);
    const quarters = { multipleOf: 0.25, type: "number" };
    for (const good of [-0.75, 0, 1.5, 3])
      expect([good, writes(quarters, good)]).toEqual([good, true]);
    for (const bad of [0.2, 0.251, -1.3])
      expect([bad, writes(quarters, bad)]).toEqual([bad, false]);
    const wholes = { multipleOf: 0.3, type: "integer" };
    expect([writes(wholes, 6), writes(wholes, 4), writes(wholes, 0.3)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(writes({ enum: [0.07, 0.075], multipleOf: 0.01 }, 0.07)).toBe(true);
    expect(writes({ enum: [0.07, 0.075], multipleOf: 0.01 }, 0.075)).toBe(false);
  });

  it("takes a URI without a host", () => {
    expect(writes({ type: "string", format: "uri" }, "file:///C:/Users/a%20b")).toBe(true);
    expect(writes({ type: "string", format: "uri" }, "file:///C:/Users/a b")).toBe(false);
  });

  it("counts the characters of a mail address", () => {
    const form = schemaForm({ type: "string", format: "email", minLength: 6, maxLength: 254 });
    const isMail = (text: string): boolean => form.accepts(JSON.stringify(text));
    expect(isMail("a@b.co")).toBe(true);
    expect(isMail("a@b.c")).toBe(false);
    expect(isMail(`a@${"b".repeat(249)}.co`)).toBe(true);
    expect(isMail(`a@${"b".repeat(250)}.co`)).toBe(false);
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
