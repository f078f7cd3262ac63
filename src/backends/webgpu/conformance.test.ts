/** The conformance suite on this machine's GPU driver: software Vulkan unless the caller chose another. */
import { describe, expect, it } from "vitest";
import { conformanceCases, runConformance } from "../conformance.ts";
import { floatArithmetic } from "../tolerance.ts";
import { listAdapters } from "./adapter.ts";
import { createWebGpuBackend } from "./webgpu-backend.ts";

const adapters = await listAdapters();
const isRequired = process.env["HEARTH_REQUIRE_GPU"] === "1";
const name = adapters[0]?.name ?? "no adapter";

it.skipIf(!isRequired)("has an adapter, as HEARTH_REQUIRE_GPU=1 demands", () => {
  expect(adapters.map((adapter) => adapter.name)).not.toEqual([]);
});

describe.skipIf(adapters.length === 0)(`webgpu on ${name} (skipped without a driver)`, () => {
  runConformance(() => createWebGpuBackend({ adapter: 0 }), {
    arithmetic: floatArithmetic,
    skip: [
      {
        reason: "the GPU has no q8_0 KV cache",
        cases: ({ traits }) => traits.kvType === "q8_0",
      },
    ],
  });

  it("finds cases to run", () => {
    expect(conformanceCases().length).toBeGreaterThan(0);
  });
});
