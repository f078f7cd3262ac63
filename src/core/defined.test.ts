import { expect, it } from "vitest";
import { defined } from "./defined.ts";

it("leaves out undefined properties, and keeps false, 0, null and the empty text", () => {
  const kept = defined({ a: undefined, b: false, c: 0, d: null, e: "" });
  expect(Object.entries(kept)).toEqual([
    ["b", false],
    ["c", 0],
    ["d", null],
    ["e", ""],
  ]);
});
