import { describe, expect, it } from "vitest";
import { CallOrder } from "./call-order.ts";

/** A promise to be settled by hand. */
function open(): { promise: Promise<void>; resolve: () => void; reject: (error: Error) => void } {
  let settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...settle! };
}

async function someTurns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("calls that wait for kernels", () => {
  it("are submitted in their order, whichever is ready first", async () => {
    const order = new CallOrder();
    const submitted: string[] = [];
    const first = open();
    const call = async (name: string): Promise<void> => void submitted.push(name);
    const one = order.later(first.promise, () => call("one"));
    const two = order.later(Promise.resolve(), () => call("two"));
    await someTurns();
    expect(submitted).toEqual([]);
    expect(order.isWaiting).toBe(true);
    first.resolve();
    await Promise.all([one, two, order.settled()]);
    expect(submitted).toEqual(["one", "two"]);
    expect(order.isWaiting).toBe(false);
  });

  it("keep their order when one of them fails before those in front of it are submitted", async () => {
    const order = new CallOrder();
    const submitted: string[] = [];
    const first = open();
    const one = order.later(first.promise, async () => void submitted.push("one"));
    const failed = order.later(Promise.reject(new RangeError("no kernel")), async () => {
      submitted.push("failed");
    });
    const refused = expect(failed).rejects.toThrow("no kernel");
    await someTurns();
    expect(order.isWaiting).toBe(true);
    const three = order.later(Promise.resolve(), async () => void submitted.push("three"));
    first.resolve();
    await Promise.all([one, refused, three]);
    expect(submitted).toEqual(["one", "three"]);
  });

  it("fail with what submitting them fails with, and hold up nobody", async () => {
    const order = new CallOrder();
    const failed = order.later(Promise.resolve(), () => Promise.reject(new RangeError("lost")));
    await expect(failed).rejects.toThrow("lost");
    await order.settled();
    expect(order.isWaiting).toBe(false);
  });
});
