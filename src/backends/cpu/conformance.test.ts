/**
 * The conformance suite on every instruction set: each op with each weight type and method once. HEARTH_CONFORMANCE=most, as in
 * CI, runs every case, =all every case of the exact tables too.
 * cpu-backend.test.ts shows that the number of threads changes no bit.
 */
import { describe } from "vitest";
import { loadAddon } from "../addon.ts";
import { conformanceCases, conformanceSample } from "../conformance/all-cases.ts";
import { runConformance } from "../conformance.ts";
import { floatArithmetic } from "../tolerance.ts";
import { createCpuBackend } from "./cpu-backend.ts";

const isWhole = process.env["HEARTH_CONFORMANCE"] === "all";
const isMost = isWhole || process.env["HEARTH_CONFORMANCE"] === "most";
const loaded = loadAddon();
const reason = loaded.kind === "missing" ? ` (skipped: ${loaded.reason})` : "";
const sets = loaded.kind === "loaded" ? loaded.addon.machine().kernels.split(" ") : ["any"];

describe.skipIf(loaded.kind === "missing")(`the CPU backend${reason}`, () => {
  for (const isa of sets) {
    describe(isa, () => {
      const cases = isMost ? conformanceCases() : conformanceSample();
      runConformance(() => createCpuBackend({ isa, threads: 2 }), { cases });
    });
    // Inputs of quantised weights are not rounded, so the bound is that of f32 sums alone.
    describe(`${isa}, exact`, () => {
      runConformance(() => createCpuBackend({ isa, threads: 2, exact: true }), {
        arithmetic: floatArithmetic,
        cases: isWhole ? conformanceCases() : conformanceSample(),
      });
    });
  }
});
