/** What becomes of the errors that WebGPU reports late, with a device that reports them on demand. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { DeviceError, LimitError } from "../../core/errors.ts";
import type { TakenAdapter } from "./adapter.ts";
import { type OpenDevice, openDevice } from "./device.ts";

class FakeOutOfMemoryError {
  readonly message = "VK_ERROR_OUT_OF_DEVICE_MEMORY";
}

/** `reported`: by error filter, what its scope has caught. */
async function fakeDevice(reported: Readonly<Record<string, unknown>>): Promise<OpenDevice> {
  const scopes: string[] = [];
  const device = {
    features: new Set<string>(),
    lost: new Promise(() => {}),
    onuncapturederror: null,
    pushErrorScope: (filter: string) => scopes.push(filter),
    popErrorScope: async () => reported[scopes.pop() ?? ""] ?? null,
    destroy: () => {},
  };
  const adapter = { features: device.features, limits: {}, requestDevice: async () => device };
  const taken = { adapter, held: { gpu: {}, release: () => {} } } as unknown as TakenAdapter;
  return openDevice(taken, { name: "Card", features: "plain" });
}

describe("a guarded call", () => {
  beforeEach(() => vi.stubGlobal("GPUOutOfMemoryError", FakeOutOfMemoryError));
  afterEach(() => vi.unstubAllGlobals());

  it("says what was asked for and what to try when memory ran out, whatever else went wrong", async () => {
    const open = await fakeDevice({
      "out-of-memory": new FakeOutOfMemoryError(),
      validation: { message: "the buffer is invalid" },
    });
    const failing = open.guarded("allocating 3 GiB within a budget of 4 GiB", () => {});
    await expect(failing).rejects.toThrow(LimitError);
    await expect(failing).rejects.toThrow(
      /^Card: allocating 3 GiB within a budget of 4 GiB: the graphics card is out of memory .*VRAM budget.*device hybrid or cpu$/,
    );
  });

  it("passes on the driver's words for any other error", async () => {
    const open = await fakeDevice({ validation: { message: "a binding is missing" } });
    const failing = open.guarded("binding buffers", () => {});
    await expect(failing).rejects.toThrow(DeviceError);
    await expect(failing).rejects.toThrow("Card: binding buffers: a binding is missing");
  });

  it("gives what was made when nothing was reported", async () => {
    const open = await fakeDevice({});
    await expect(open.guarded("making", () => 7)).resolves.toBe(7);
  });
});
