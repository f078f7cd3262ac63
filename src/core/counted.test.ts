import { expect, it } from "vitest";
import { counted } from "./counted.ts";

it.each([
  [0, "tensor", undefined, "0 tensors"],
  [1, "tensor", undefined, "1 tensor"],
  [2, "tensor", undefined, "2 tensors"],
  [1, "entry", "entries", "1 entry"],
  [21, "entry", "entries", "21 entries"],
])("%d of %s", (count, noun, plural, expected) => {
  expect(counted(count, noun, plural)).toBe(expected);
});
