import { describe, expect, it } from "vitest";
import { waitPatiently } from "./patient-wait.ts";

describe("waitPatiently", () => {
  it("ends when the promise does, whatever else the event loop has to do", async () => {
    let isSettled = false;
    const done = new Promise<void>((resolve) => setTimeout(resolve, 5)).then(() => {
      isSettled = true;
    });
    await waitPatiently(done);
    expect(isSettled).toBe(true);
  });

  it("fails with the promise's error", async () => {
    await expect(waitPatiently(Promise.reject(new RangeError("lost")))).rejects.toThrow("lost");
  });

  it("turns the event loop no more often than its naps allow in a long wait", async () => {
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    const start = performance.now();
    setImmediate(count);
    await waitPatiently(new Promise((resolve) => setTimeout(resolve, 100)));
    isOver = true;
    // A turn in twentieths of a millisecond at most, and half a millisecond of turns as fast as they come (> 0.1 µs).
    expect(turns).toBeLessThan(20 * (performance.now() - start) + 5000);
  });
});
