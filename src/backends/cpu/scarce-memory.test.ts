import { describe, expect, it } from "vitest";
import { memoryNotice, type ScarceMemory, scarceMemory } from "./scarce-memory.ts";

const MiB = 2 ** 20;
const GiB = 2 ** 30;

function scarce(weights: number, available: number): ScarceMemory {
  const found = scarceMemory(weights, available);
  if (found === undefined) throw new Error("it fits");
  return found;
}

describe("weights that do not stay in memory", () => {
  it("are no matter where they fit to the byte", () => {
    expect(scarceMemory(4 * GiB, 4 * GiB)).toBeUndefined();
  });

  it("stay as far as slack and what is read ahead leave room", () => {
    expect(scarce(9 * GiB, 4 * GiB)).toMatchObject({ kept: 3.5 * GiB, window: 256 * MiB });
    expect(scarce(100 * GiB, 64 * GiB)).toMatchObject({ kept: 59.5 * GiB, window: 512 * MiB });
    expect(scarce(GiB, 100 * MiB)).toMatchObject({ kept: 20 * MiB, window: 32 * MiB });
  });

  it("all pass where there is no room at all", () => {
    expect(scarce(GiB, 10 * MiB).kept).toBe(0);
    expect(scarce(GiB, -GiB)).toMatchObject({ kept: 0, available: 0, window: 32 * MiB });
  });

  it("are announced with what they take, what there is and what a token costs", () => {
    const notice = memoryNotice(scarce(9 * GiB, 4 * GiB), 5.5 * GiB);
    expect(notice).toContain("the weights take 9.0 GiB and 4.0 GiB are available");
    expect(notice).toContain("5.5 GiB of them are read from the disk again for every token");
  });

  it("are announced where only a token's experts are read", () => {
    expect(memoryNotice(scarce(9 * GiB, 4 * GiB), 0)).toContain("for every token that uses it");
  });
});
