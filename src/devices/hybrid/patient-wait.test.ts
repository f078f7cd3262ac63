import { afterEach, describe, expect, it, vi } from "vitest";
import { createPatience, sleepAt, waitPatiently } from "./patient-wait.ts";

afterEach(() => vi.restoreAllMocks());

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

  it("expects of the next wait what the last one took", async () => {
    const patience = createPatience();
    const clock = vi.spyOn(performance, "now");
    clock.mockReturnValueOnce(100).mockReturnValueOnce(120);
    await waitPatiently(Promise.resolve(), patience);
    expect(patience.expected).toBe(20);
    clock.mockReturnValueOnce(200).mockReturnValueOnce(201);
    await waitPatiently(Promise.resolve(), patience);
    expect(patience.expected).toBe(1);
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

describe("the sleep of a wait", () => {
  it("is none where the wait is expected to be short", () => {
    expect(sleepAt(0, 0)).toBe(0);
    expect(sleepAt(0, 0.15)).toBe(0);
    expect(sleepAt(0.3, 0)).toBe(0);
  });

  it("lasts for what was expected", () => {
    expect(sleepAt(0, 8)).toBeCloseTo(7.9, 9);
    expect(sleepAt(7.5, 8)).toBeCloseTo(0.4, 9);
    expect(sleepAt(7.9, 8)).toBe(0);
  });

  it("is short naps in a wait that outlasts it", () => {
    expect(sleepAt(8.4, 8)).toBe(0);
    expect(sleepAt(8.6, 8)).toBe(0.05);
    expect(sleepAt(0.6, 0)).toBe(0.05);
  });
});
