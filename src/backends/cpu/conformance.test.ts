/** The conformance suite on every instruction set of this machine, with one, two and three threads. */
import { describe } from "vitest";
import { runConformance } from "../conformance.ts";
import { loadAddon } from "./addon.ts";
import { createCpuBackend } from "./cpu-backend.ts";

const loaded = loadAddon();
const reason = loaded.kind === "missing" ? ` (skipped: ${loaded.reason})` : "";
const sets = loaded.kind === "loaded" ? loaded.addon.machine().kernels.split(" ") : ["any"];

describe.skipIf(loaded.kind === "missing")(`the CPU backend${reason}`, () => {
  for (const isa of sets) {
    for (const threads of [1, 2, 3]) {
      describe(`${isa}, ${threads} threads`, () => {
        runConformance(() => createCpuBackend({ isa, threads }));
      });
    }
  }
});
