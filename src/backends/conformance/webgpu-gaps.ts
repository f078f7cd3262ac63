/** What the GPU backend does not compute, and says so when it compiles. */
import type { Gap } from "./case.ts";

export const webgpuGaps: readonly Gap[] = [
  {
    reason: "the GPU has no q8_0 KV cache",
    cases: ({ traits }) => traits.kvType === "q8_0",
  },
];
