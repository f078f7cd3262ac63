/** Every keyword is kept or refused by its name. */
import { describe, expect, it } from "vitest";
import { schemaForm, writes } from "../fixture.ts";
import { enforcedKeywords, refusedKeywords } from "./keywords.ts";

describe("a JSON schema as a form", () => {
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
        nullable: [{ type: "string", nullable: true, maxLength: 1 }, null, 1],
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
    expect(writes({ enumDescriptions: ["nothing"], enum: [null] }, null)).toBe(true);
    expect(() => schemaForm({ xtype: "null" })).toThrow(/#\/xtype: is no keyword/);
    expect(() => schemaForm({ pattern: "(?<=a)b" })).toThrow(/#\/pattern: .*look-behind/);
    expect(() => schemaForm({ format: "colour" })).toThrow(/#\/format: "colour" is no format/);
    expect(() => schemaForm({ type: "number", multipleOf: 1e-20 })).toThrow(/20 decimals/);
    expect(() => schemaForm({ nullable: true })).toThrow(/#\/nullable: needs a type beside it/);
    expect(() =>
      schemaForm({ oneOf: [{ type: "object" }, { patternProperties: { a: { const: 1 } } }] }),
    ).toThrow(/#\/oneOf: branches may have a value in common, .*patternProperties has no contrary/);
    expect(() => schemaForm({ not: { multipleOf: 2 } })).toThrow(
      /#\/not\/multipleOf: has no contrary/,
    );
    expect(() => schemaForm({ type: "array", uniqueItems: true })).toThrow(/#\/uniqueItems/);
    expect(() => schemaForm({ $ref: "other.json" })).toThrow(/leads out of the schema/);
  });
});
