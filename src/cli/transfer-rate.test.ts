/** What the bar of a download says about its speed. */
import { describe, expect, it } from "vitest";
import { TransferRate } from "./transfer-rate.ts";

const MiB = 2 ** 20;

describe("the rate of a transfer", () => {
  it("is of the last ten seconds, and does not count what was there before", () => {
    const rate = new TransferRate();
    rate.add(0, 100 * MiB);
    expect(rate.describe(200 * MiB)).toBe("");
    for (let second = 1; second <= 20; second++) rate.add(second * 1000, (100 + second) * MiB);
    expect(rate.describe(200 * MiB)).toBe("1.0 MiB/s, 2 min left");
    for (let second = 21; second <= 40; second++)
      rate.add(second * 1000, (120 + 3 * (second - 20)) * MiB);
    expect(rate.describe(183 * MiB)).toBe("3.0 MiB/s, 1 s left");
  });

  it("begins anew where bytes were thrown away, and knows hours", () => {
    const rate = new TransferRate();
    rate.add(0, 50 * MiB);
    rate.add(1000, 0);
    expect(rate.describe(100 * MiB)).toBe("");
    rate.add(3000, 2 * MiB);
    expect(rate.describe(7202 * MiB)).toBe("1.0 MiB/s, 2 h 0 min left");
    rate.add(3000 + 100_000, 2 * MiB);
    rate.add(3000 + 111_000, 2 * MiB);
    expect(rate.describe(7202 * MiB)).toBe("0 B/s");
  });
});
