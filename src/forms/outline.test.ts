/** Forms made of forms, read byte by byte. */
import { describe, expect, it } from "vitest";
import { FormError } from "../core/errors.ts";
import { controlBytes } from "../text/token-trie.ts";
import { formOf } from "./fixture.ts";
import { Form } from "./form.ts";
import type { Outline } from "./outline.ts";

const number = {
  type: "object",
  properties: { a: { type: "integer" } },
  required: ["a"],
  additionalProperties: false,
};
const word = {
  $ref: "#/$defs/word",
  $defs: {
    word: {
      type: "object",
      properties: { b: { enum: ["x"] } },
      required: ["b"],
      additionalProperties: false,
    },
  },
};

const text = (value: string): Outline => ({ kind: "text", text: value });
const schemaOf = (schema: unknown): Outline => ({ kind: "form", form: { kind: "schema", schema } });
const sequence = (...parts: readonly Outline[]): Outline => ({ kind: "sequence", parts });
const outlined = (outline: Outline): Form => formOf({ kind: "outline", outline });

describe("a form of texts and schemas", () => {
  const form = outlined({
    kind: "choice",
    options: [
      sequence(text("one: "), schemaOf(number), text("!")),
      sequence(text("two: "), schemaOf(word)),
      sequence(text("both "), schemaOf(number), text(" "), schemaOf(word)),
    ],
  });

  it.each(['one: {"a":1}!', 'two: {"b":"x"}', 'both {"a":-7} {"b":"x"}'])("takes %s", (text) => {
    expect(form.accepts(text)).toBe(true);
  });

  it.each([
    'one: {"a":1}',
    'one: {"b":"x"}!',
    'two: {"a":1}',
    'both {"b":"x"} {"a":1}',
    "",
    "three",
  ])("takes no %j", (text) => {
    expect(form.accepts(text)).toBe(false);
  });
});

describe("free text", () => {
  const form = outlined({
    kind: "free",
    openings: [
      { mark: "<<call>>", body: sequence(schemaOf(number), { kind: "loose", text: "\n<end>" }) },
      { mark: '{"name"', isFirst: true, isLast: true, body: text(":1}") },
    ],
  });

  it.each([
    "",
    "anything < <<cal <<<call",
    'a <<<call>>{"a":1}\n<end> and <<call>>{"a":2}<end>',
    '{"nam": 1}',
    'x{"name" stands not at the beginning',
    '{"name":1}',
  ])("takes %j", (value) => {
    expect(form.accepts(value)).toBe(true);
  });

  it.each(['a <<call>>{"b', "<<call>> ", '<<call>>{"a":1}\n\n', '{"name" ', '{"name":1}x'])(
    "takes nothing that begins with %j",
    (value) => {
      expect(form.begins(value)).toBe(false);
      expect(form.begins(value.slice(0, -1))).toBe(true);
    },
  );

  it("ends nowhere in what a mark has opened", () => {
    for (const open of ["<<call>>", '<<call>>{"a":1}', '{"name"']) {
      expect([form.begins(open), form.accepts(open)]).toEqual([true, false]);
    }
  });
});

describe("thoughts", () => {
  const form = outlined(sequence({ kind: "until", mark: "</t>" }, schemaOf(word)));

  it("are free up to their mark, and what follows is not", () => {
    expect(form.accepts('{"a": </t </ <<</t>{"b":"x"}')).toBe(true);
    expect(form.accepts("only thoughts")).toBe(false);
    expect(form.begins("only thoughts")).toBe(true);
    expect(form.begins('</t>{"b":"x"}</t>')).toBe(false);
  });
});

describe("a mark that is a token of its own", () => {
  const control = (value: string): Uint8Array => controlBytes(Buffer.from(value));
  const form = new Form(
    { kind: "outline", outline: { kind: "free", openings: [{ mark: "<c>", body: text("1<e>") }] } },
    {
      trie: () => {
        throw new Error("not needed");
      },
      spellingsOf: (value) => [
        Buffer.concat(
          value
            .split(/(<\w>)/)
            .map((part) => (part.startsWith("<") ? control(part) : Buffer.from(part))),
        ),
        Buffer.from(value),
      ],
    },
  );

  it("opens in both spellings, and stands as a token in what must come", () => {
    const reads = (...parts: readonly (Uint8Array | string)[]): boolean => {
      let state = form.states.start;
      for (const byte of Buffer.concat(parts.map((part) => Buffer.from(part)))) {
        state = form.states.afterByte(state, byte);
      }
      return state.isComplete;
    };
    expect(reads("a", control("<c>"), "1", control("<e>"), "b")).toBe(true);
    expect(reads("a<c>1", control("<e>"))).toBe(true);
    expect(reads(control("<x>"), "free")).toBe(true);
    expect(reads(control("<c>"), "2")).toBe(false);
    expect(reads("a<c>1<e>")).toBe(false);
  });
});

describe("a form in an outline that cannot be kept", () => {
  const unknown = { kind: "schema", schema: { odd: 1 } } as const;

  it("is an error, or another one in its place", () => {
    expect(() => outlined({ kind: "form", form: unknown })).toThrow(FormError);
    const orElse = { kind: "regex", regex: "a+" } as const;
    expect(outlined({ kind: "form", form: unknown, orElse }).accepts("aa")).toBe(true);
  });
});
