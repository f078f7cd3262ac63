/** Measuring this machine: numbers that can be, a file that reads back, a second time from the cache. */
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { ownCache } from "../../../test/fixtures/own-cache.ts";
import { loadAddon } from "../../backends/addon.ts";
import { createCpuBackend } from "../../backends/cpu/cpu-backend.ts";
import { weightTypes } from "../../core/dtype.ts";
import { parseHardwareProfile, serialiseHardwareProfile } from "../../placement/hardware.ts";
import { measuredHardware } from "./cache.ts";
import { measureLink, measureSplitLayer } from "./link.ts";
import { hardwareIdentity } from "./measure.ts";

const addon = loadAddon();
const skipped = addon.kind === "missing" ? ` (skipped: ${addon.reason})` : "";
const cache = ownCache();
afterAll(() => {
  cache[Symbol.dispose]();
});

describe.skipIf(addon.kind === "missing")(`a measured machine${skipped}`, () => {
  it("has a speed for every type, reads back from its file, and is measured once", async () => {
    const profile = await measuredHardware({ threads: 1 });
    const { readBytesPerSecond } = profile.cpu;
    for (const type of weightTypes) {
      // A megabyte a second is slower than any kernel, ten terabytes faster than any memory.
      expect(readBytesPerSecond[type]).toBeGreaterThan(1e6);
      expect(readBytesPerSecond[type]).toBeLessThan(1e13);
    }
    expect(parseHardwareProfile(serialiseHardwareProfile(profile), "a.json")).toEqual(profile);
    expect(readdirSync(join(cache.folder, "hearth", "hardware"))).toEqual([
      `${profile.identity}.json`,
    ]);
    // No two measurements agree in every digit: this one was read.
    expect(await measuredHardware({ threads: 1 })).toEqual(profile);
  });

  it("is measured again where an older version of hearth measured it", async () => {
    const request = { threads: 1 };
    const { promptFlopsPerSecond: _, ...cpu } = (await measuredHardware(request)).cpu;
    const older = {
      ...(await measuredHardware(request)),
      identity: hardwareIdentity(request, 1),
      cpu,
    };
    const files = join(cache.folder, "hearth", "hardware");
    for (const name of readdirSync(files)) rmSync(join(files, name));
    writeFileSync(join(files, `${older.identity}.json`), serialiseHardwareProfile(older));
    expect((await measuredHardware(request)).cpu.promptFlopsPerSecond).toBeGreaterThan(0);
  });

  it("has another identity with other threads, another adapter, another version or other kernels", () => {
    const adapter = {
      index: 0,
      name: "card",
      vendor: "v",
      backend: "vulkan",
      kind: "discrete",
      features: [],
      cards: 1,
      found: { kind: "its name" },
      maxBufferBytes: 1,
      maxBindingBytes: 1,
    } as const;
    const identities = [
      hardwareIdentity({ threads: 1 }),
      hardwareIdentity({ threads: 2 }),
      hardwareIdentity({ threads: 1, adapter }),
      hardwareIdentity({ threads: 1, adapter: { ...adapter, memory: 8 } }),
      hardwareIdentity({ threads: 1 }, 1),
      hardwareIdentity({ threads: 1 }, undefined, "another build"),
    ];
    expect(new Set(identities).size).toBe(identities.length);
  });

  it("measures a link and a round trip between any two backends", async () => {
    using gpu = createCpuBackend({ threads: 1 });
    using cpu = createCpuBackend({ threads: 1 });
    const link = await measureLink(gpu);
    expect(link.downloadLatencySeconds).toBeGreaterThan(0);
    expect(link.uploadBytesPerSecond).toBeGreaterThan(1e6);
    const split = await measureSplitLayer({ gpu, cpu });
    // As long as it took: finite, and none of it lost to rounding.
    expect(Number.isFinite(split)).toBe(true);
    expect(split).toBeGreaterThan(0);
  });
});
