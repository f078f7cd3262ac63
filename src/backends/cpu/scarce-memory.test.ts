import { describe, expect, it } from "vitest";
import { scarceMemory } from "./scarce-memory.ts";

const GiB = 2 ** 30;

describe("weights that do not stay in memory", () => {
  it("are no matter where they fit to the byte", () => {
    expect(scarceMemory(4 * GiB, 4 * GiB)).toBeUndefined();
  });

  it("are announced with what they take and what there is", () => {
    expect(scarceMemory(9 * GiB, 4 * GiB)).toContain(
      "the weights take 9.0 GiB and 4.0 GiB are available",
    );
  });

  it("are announced where the cache takes more than there is", () => {
    expect(scarceMemory(GiB, -GiB)).toContain("0 B are available");
  });
});
