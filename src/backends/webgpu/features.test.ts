/**
 * What has a form of its own without optional features, or with one alone, on this machine's GPU driver. The whole
 * suite runs with everything that the driver has: conformance.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { MiB } from "../../core/units.ts";
import { conformanceCases, expectationOf } from "../conformance/all-cases.ts";
import type { ConformanceCase } from "../conformance/case.ts";
import { checkCase } from "../conformance/check-case.ts";
import { floatArithmetic } from "../tolerance.ts";
import { listAdapters } from "./adapter.ts";
import { createWebGpuBackend, type WebGpuBackend, type WebGpuOptions } from "./webgpu-backend.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const adapters = await listAdapters();
const isMost = ["most", "all"].includes(process.env["HEARTH_CONFORMANCE"] ?? "");
const hasHalves = adapters[0]?.features.includes("shader-f16") ?? false;

describe.skipIf(adapters.length === 0)("webgpu features (skipped without a driver)", () => {
  describe("none: the plain path", () => {
    runCases(conformanceCases().filter(joinsThreads), 26, { features: "plain" });
  });

  // What a card runs. A software driver compiles it for seconds, and LLVM for minutes: conformance.test.ts runs a few.
  describe.skipIf(!isMost)("all of them, with loops of constant bounds", () => {
    const what =
      /f16 (with 8 heads of 64|crosses)|multiplies F16 matrices of 88|(gate|mlp) runs .* of F16/;
    runCases(
      conformanceCases().filter(({ name }) => what.test(name)),
      9,
      { loops: "fixed" },
    );
  });

  describe("bindings of 64 KiB: gathered columns are cut, staging is not", () => {
    const gathered = /of Q5_K, down as columns, with a subset/;
    const cases = conformanceCases().filter(({ name }) => gathered.test(name));
    runCases(cases.slice(0, 3), 3, { maxBinding: MiB / 16 });
  });

  describe.skipIf(!hasHalves)("shader-f16 alone (skipped where the driver has none)", () => {
    const ofHalves = ({ traits }: ConformanceCase): boolean =>
      (traits.op === "matmul" && traits.weightType === "F16") || traits.kvType === "f16";
    runCases(conformanceCases().filter(ofHalves).slice(0, 5), 5, { features: ["shader-f16"] });
  });
});

/** Kernels whose threads join sums and maxima: products of a few formats, sparse ones, attention. */
function joinsThreads({ name, traits }: ConformanceCase): boolean {
  const { op, weightType, kvType } = traits;
  if (op === "attention") return kvType === "f16" && /over 2 KV|over 4 KV|boundaries/.test(name);
  if (op === "matmul") return weightType === "Q8_0" || weightType === "F16";
  return op === "ffn" && weightType === "F16" && traits.method !== "dense";
}

/** `min`: how many cases there were when the filter was written; one that loses some is wrong. */
function runCases(cases: readonly ConformanceCase[], min: number, options: WebGpuOptions): void {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createWebGpuBackend({ adapter: 0, ...options });
  });
  afterAll(() => backend[Symbol.dispose]());

  it(`finds its ${min} cases`, () => {
    expect(cases.length).toBeGreaterThanOrEqual(min);
  });

  it.each(cases)("$name", async ({ build }) => {
    const script = build();
    const expected = await expectationOf(script, floatArithmetic);
    const { problems, compared } = await checkCase(backend, script, expected);
    expect(problems).toEqual([]);
    expect(compared).toBeGreaterThan(0);
  });
}
