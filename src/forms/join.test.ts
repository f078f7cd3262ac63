import { describe, expect, it } from "vitest";
import { formOf } from "./fixture.ts";

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

describe("a form of texts and schemas", () => {
  const form = formOf({
    kind: "joined",
    sequences: [
      ["one: ", number, "!"],
      ["two: ", word, ""],
      ["both ", number, " ", word],
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
