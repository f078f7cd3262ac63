import { describe, expect, it } from "vitest";
import { diagnose } from "./doctor.ts";

describe("diagnose", () => {
  it("names the processor and says of addon and adapters what there is or why not", async () => {
    const diagnosis = await diagnose();
    expect(diagnosis.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(diagnosis.cpu.usableCores).toBeGreaterThan(0);
    expect(diagnosis.cpu.memoryBytes).toBeGreaterThan(2 ** 20);
    if (diagnosis.addon.kind === "loaded") {
      const { instructionSet, instructionSets, readBytesPerSecond } = diagnosis.addon;
      expect(instructionSets).toContain(instructionSet);
      // No machine reads slower than a hard disk or faster than on-package memory of several TB/s.
      expect(readBytesPerSecond).toBeGreaterThan(1e8);
      expect(readBytesPerSecond).toBeLessThan(1e13);
    } else expect(diagnosis.addon.reason).toContain("hearth build");
    if (diagnosis.adapters.length === 0) expect(diagnosis.gpuProblem).toMatch(/\w/);
    diagnosis.adapters.forEach((adapter, index) => {
      expect(adapter.index).toBe(index);
      expect(adapter.maxBufferBytes).toBeGreaterThanOrEqual(2 ** 28);
    });
  });
});
