import { describe, expect, it } from "vitest";
import { LimitError } from "./errors.ts";
import { requireFree } from "./memory.ts";
import { GiB } from "./units.ts";

describe("requireFree", () => {
  it("accepts what fits", () => {
    expect(() => requireFree(1, "a byte", "nothing")).not.toThrow();
  });

  it("names the size, the free memory and the remedy of what does not fit", () => {
    const refused = (): void => requireFree(2 ** 30 * GiB, "weights as f32", "use device cpu");
    expect(refused).toThrow(LimitError);
    expect(refused).toThrow(
      /^weights as f32 take 1073741824\.0 GiB and [\d.]+ \w+ of memory are free; use device cpu$/,
    );
  });
});
