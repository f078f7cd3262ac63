/** SmolLM 3: Llama, in which every fourth layer knows no positions. */
import type { Architecture } from "./architecture.ts";
import { llama } from "./llama.ts";

/** No key says so: it is the same in all published models. */
const everyFourth = 4;

export const smollm3: Architecture = {
  ...llama,
  name: "smollm3",
  positions: {
    kind: "rope",
    pairing: "adjacent",
    of: (layer, { rope }) => ((layer + 1) % everyFourth === 0 ? undefined : rope),
  },
  dataLayouts: [],
};
