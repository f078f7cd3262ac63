/**
 * Qwen3-Next: the layers of Qwen3.5 with experts and shared ones behind a gate; heads of a delta net that follow one another
 * share their keys, and one matrix has the gates of the state. Source: llama.cpp, src/models/qwen3next.cpp.
 */
import type { Architecture } from "./architecture.ts";
import { readDeltaNet, readRecurrentLayers } from "./delta-net.ts";
import { qwen35moe } from "./qwen35moe.ts";

export const qwen3next: Architecture = {
  ...qwen35moe,
  name: "qwen3next",
  numbers: (shape, keys) => {
    const plain = readDeltaNet(keys);
    const net = { ...plain, keyRun: plain.heads / plain.keyHeads };
    const isRecurrent = readRecurrentLayers(keys, shape.layers);
    return { ...shape, deltaNets: isRecurrent.map((is) => (is ? net : undefined)) };
  },
};
