import { describe, expect, it } from "vitest";
import { checkByteSize, parseByteSize } from "./byte-size.ts";
import { OptionError } from "./errors.ts";

describe("parseByteSize", () => {
  it.each([
    ["0", 0],
    ["1234", 1234],
    ["8GiB", 8 * 2 ** 30],
    ["8 gib", 8 * 2 ** 30],
    ["500MB", 500_000_000],
    ["1.5KiB", 1536],
    [".5kb", 500],
    ["24GB", 24e9],
    ["2TiB", 2 * 2 ** 40],
    ["10b", 10],
  ])("reads %s as %d bytes", (text, bytes) => {
    expect(parseByteSize(text, "--vram-budget")).toBe(bytes);
  });

  it.each([
    "",
    "-1",
    "-8GiB",
    "GiB",
    "8XB",
    "8G",
    "NaN",
    "1e9",
    "0x10",
    "Infinity",
    "8GiB 4",
    "99999999TiB",
  ])("refuses %j and names the option", (text) => {
    expect(() => parseByteSize(text, "--vram-budget")).toThrow(OptionError);
    expect(() => parseByteSize(text, "--vram-budget")).toThrow(/^--vram-budget: /);
  });
});

describe("checkByteSize", () => {
  it.each([Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY])("refuses %d", (bytes) => {
    expect(() => checkByteSize(bytes, "budget")).toThrow(OptionError);
  });
});
