/** The suite on the reference itself: cases fit the oracle, bounds mean something, and a broken backend fails. */
import { describe } from "vitest";
import { runConformance } from "../conformance.ts";
import { createReferenceBackend } from "../reference/reference-backend.ts";
import { floatArithmetic } from "../tolerance.ts";

describe("the reference", () => {
  runConformance(createReferenceBackend, { arithmetic: floatArithmetic });
});
