/**
 * The reference backend: every op as plain TypeScript, the oracle that the fast backends are compared with
 * and what runs a small model where there is no compiler. Weights as f32, sums in double precision.
 */
import type { Backend } from "../backend.ts";
import { plainMatrices } from "../plain-matrices.ts";
import { createExecutable } from "./executable.ts";
import { createPacer } from "./pacer.ts";
import { createReferenceState } from "./state.ts";

export function createReferenceBackend(): Backend {
  return {
    description: "reference (plain TypeScript)",
    compile: async (program, options = {}) => {
      const pacer = createPacer();
      const state = await createReferenceState(program, options, { pacer });
      return createExecutable(program, state, pacer);
    },
    ...plainMatrices,
    [Symbol.dispose]: () => {},
  };
}
