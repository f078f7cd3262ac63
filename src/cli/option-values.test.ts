import { InvalidArgumentError } from "commander";
import { describe, expect, it } from "vitest";
import { mirostatVersion, sequenceBreaker, tokenBias } from "./option-values.ts";

describe("values of flags", () => {
  it.each<readonly [string, readonly [number | string, number]]>([
    ["15043=-1.5", [15043, -1.5]],
    ["15043+1", [15043, 1]],
    ["15043-1", [15043, -1]],
    ["15043-inf", [15043, Number.NEGATIVE_INFINITY]],
    ["7=-inf", [7, Number.NEGATIVE_INFINITY]],
    [" Hello=2", [" Hello", 2]],
    ["a=b=3", ["a=b", 3]],
    ["C++=1", ["C++", 1]],
  ])("have a bias %j", (value, expected) => {
    expect(tokenBias(value, [[1, 2]])).toEqual([[1, 2], expected]);
  });

  it.each(["", "=1", "Hello", "5", "Hello=x", "5=inf"])("have no bias %j", (value) => {
    expect(() => tokenBias(value)).toThrow(InvalidArgumentError);
  });

  it("have sequence breakers one by one, or none", () => {
    expect(sequenceBreaker(":", sequenceBreaker("\n"))).toEqual(["\n", ":"]);
    expect(sequenceBreaker("none", ["x"])).toEqual([]);
  });

  it("have a version of Mirostat that there is", () => {
    expect(mirostatVersion("2")).toBe(2);
    expect(() => mirostatVersion("3")).toThrow(InvalidArgumentError);
  });
});
