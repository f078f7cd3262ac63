/** The conformance suite on every instruction set. cpu-backend.test.ts shows that the number of threads changes no bit. */
import { describe } from "vitest";
import { runConformance } from "../conformance.ts";
import { floatArithmetic } from "../tolerance.ts";
import { loadAddon } from "./addon.ts";
import { createCpuBackend } from "./cpu-backend.ts";

const loaded = loadAddon();
const reason = loaded.kind === "missing" ? ` (skipped: ${loaded.reason})` : "";
const sets = loaded.kind === "loaded" ? loaded.addon.machine().kernels.split(" ") : ["any"];

describe.skipIf(loaded.kind === "missing")(`the CPU backend${reason}`, () => {
  for (const isa of sets) {
    describe(isa, () => {
      runConformance(() => createCpuBackend({ isa, threads: 2 }));
    });
    // Inputs of quantised weights are not rounded, so the bound is that of f32 sums alone.
    describe(`${isa}, exact`, () => {
      runConformance(() => createCpuBackend({ isa, threads: 2, exact: true }), {
        arithmetic: floatArithmetic,
      });
    });
  }
});
