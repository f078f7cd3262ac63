/** What the GPU backend does not compute, and says so when it compiles: nothing at present. */
import type { Gap } from "./case.ts";

export const webgpuGaps: readonly Gap[] = [];
