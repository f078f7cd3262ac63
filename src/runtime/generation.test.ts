/** One answer by itself, without a model. */
import { expect, it } from "vitest";
import { ActiveGeneration } from "./generation.ts";
import { resolveSampling } from "./sampling/sampling-options.ts";

it("takes prompts longer than a call may have arguments", () => {
  const length = 300_000;
  const generation = new ActiveGeneration(
    Array.from({ length }, (_, i) => i % 7),
    {
      sampling: resolveSampling({}, 8),
      maxTokens: 1,
      stop: [],
      endTokens: new Set(),
      whenFull: "finish",
      vocabulary: 8,
    },
    { push: () => "", hiddenText: () => "", end: () => "" },
  );
  generation.start(1, length + 1);
  expect(generation.pendingCount).toBe(length - 1);
  expect([generation.takePending(), generation.takePending()]).toEqual([1, 2]);
});
