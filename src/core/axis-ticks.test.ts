import { describe, expect, it } from "vitest";
import { axisTicks } from "./axis-ticks.ts";

describe("the ticks of an axis", () => {
  it("are round and enclose the values", () => {
    expect(axisTicks(0, 1536, 4)).toEqual([0, 500, 1000, 1500, 2000]);
    expect(axisTicks(-0.0027, 0.02, 4)).toEqual([-0.01, 0, 0.01, 0.02]);
    expect(axisTicks(0, 1, 4)).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(axisTicks(0, 0.3, 3)).toEqual([0, 0.1, 0.2, 0.3]);
  });

  it("are two where all values are the same", () => {
    expect(axisTicks(3, 3, 4)).toEqual([3, 4]);
  });
});
