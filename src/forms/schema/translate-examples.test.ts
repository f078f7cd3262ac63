/** Schemas as forms, by examples: what each writes, and what it does not. */
import { describe, expect, it } from "vitest";
import { schemaForm, writes } from "../fixture.ts";

describe("a JSON schema as a form, by examples", () => {
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
