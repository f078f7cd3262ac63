/** What the GPU backend does not compute, and says so when it compiles. */
import type { Gap } from "./case.ts";

export const webgpuGaps: readonly Gap[] = [
  {
    reason: "the GPU computes no mixtures of experts",
    cases: ({ traits: { op } }) => op === "route" || op === "experts",
  },
];
