/**
 * The conformance suite on this machine's GPU driver: software Vulkan unless the caller chose another. Nearly all of the
 * time goes into compiling kernels, of which a block has up to a dozen, so that HEARTH_CONFORMANCE says how much of it runs:
 * left out, the cases of conformanceSample(), and a few products with loops of constant bounds; `sample`, none of these,
 * which LLVM compiles for minutes; `most`, as CI does, every op with every form; `all`, also blocks of the types that
 * prove:gpu alone runs otherwise, those of a type with every method and layout, and every product with such loops.
 */
import { describe, expect, it, vi } from "vitest";
import { weightTypes } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";
import type { SparsityMethod } from "../../ops/op.ts";
import { conformanceCases, conformanceSample, expectationOf } from "../conformance/all-cases.ts";
import type { ConformanceCase, Gap } from "../conformance/case.ts";
import { meetsAllForms } from "../conformance/cases-rows.ts";
import { checkCase } from "../conformance/check-case.ts";
import { webgpuGaps } from "../conformance/webgpu-gaps.ts";
import { runConformance } from "../conformance.ts";
import { floatArithmetic } from "../tolerance.ts";
import { listAdapters } from "./adapter.ts";
import { createWebGpuBackend } from "./webgpu-backend.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const adapters = await listAdapters();
/** One quad a unit, two, four apart, eight: every shape of the inner loop. */
const loopTypes: readonly string[] = ["F32", "F16", "Q6_K", "Q4_0"];
const isWhole = process.env["HEARTH_CONFORMANCE"] === "all";
const isMost = isWhole || process.env["HEARTH_CONFORMANCE"] === "most";
/** What a second driver runs, whose compiler is slow. */
const isSample = process.env["HEARTH_CONFORMANCE"] === "sample";
/** A block's kernels decode as products do. */
const decodedElsewhere = {
  reason: "products and embeddings decode the type; with HEARTH_CONFORMANCE=all",
  cases: ({ traits: { op, weightType } }: ConformanceCase) =>
    op === "ffn" && weightType !== undefined && !meetsAllForms(weightType),
};
/** A method's kernels differ in how they find neurons; a type's decoding does not know by which method. */
const waysInTurn: readonly (readonly SparsityMethod["kind"][])[] = [
  ["dense"],
  ["gate", "threshold-gate"],
  ["mlp", "sign", "threshold-output"],
];
/** A type's block runs dense, by its gate and by a prediction: which of these, and down as what, goes by its place among types. */
const blocksInTurn = {
  reason: "methods and layouts take turns over the types; with HEARTH_CONFORMANCE=all",
  cases: ({ traits: { op, weightType, method, activation, downLayout } }: ConformanceCase) => {
    if (op !== "ffn" || weightType === undefined || weightType === "F32") return false;
    // What says no activation is about something else than its type.
    if (method === undefined || activation === undefined) return false;
    const turn = weightTypes.indexOf(weightType);
    const isTurn = waysInTurn.some((ways, way) => {
      const layout = (turn + way) % 2 === 0 ? "columns" : "rows";
      return method === ways[(turn >> (way % 2)) % ways.length] && downLayout === layout;
    });
    return !isTurn;
  },
};
/** Types and activations are the code of products and blocks. */
const expertsElsewhere = {
  reason: "products decode the type, blocks compute the activation; with HEARTH_CONFORMANCE=all",
  cases: ({ traits: { op, weightType, activation } }: ConformanceCase) =>
    op === "experts" &&
    (weightType === "F32" ? activation !== "silu" : !expertTypes.includes(weightType)),
};
const expertTypes: readonly (string | undefined)[] = ["Q4_0", "MXFP4"];
const skip: readonly Gap[] = [
  ...webgpuGaps,
  ...(isWhole ? [] : [decodedElsewhere, expertsElsewhere]),
  ...(isMost && !isWhole ? [blocksInTurn] : []),
];
const isRequired = process.env["HEARTH_REQUIRE_GPU"] === "1";
const name = adapters[0]?.name ?? "no adapter";

it.skipIf(!isRequired)("has an adapter, as HEARTH_REQUIRE_GPU=1 demands", () => {
  expect(adapters.map((adapter) => adapter.name)).not.toEqual([]);
});

describe.skipIf(adapters.length === 0)(`webgpu on ${name} (skipped without a driver)`, () => {
  runConformance(() => createWebGpuBackend({ adapter: 0 }), {
    arithmetic: floatArithmetic,
    cases: isMost ? conformanceCases() : conformanceSample(),
    skip,
  });

  const everyProduct = conformanceCases().filter(
    ({ traits: { op, weightType = "", hasChannels } }) =>
      op === "matmul" && loopTypes.includes(weightType) && hasChannels !== true,
  );
  /** Gate and up in tensors of their own. */
  const fewExperts = conformanceCases().find(
    ({ name, traits }) =>
      traits.op === "experts" && traits.weightType === "F32" && name.includes(" both "),
  )!;
  // A software driver compiles a product with such loops for seconds: one of each type, unless all are wanted.
  const products = isWhole
    ? everyProduct
    : loopTypes.flatMap((type) =>
        everyProduct.filter(({ traits }) => traits.weightType === type).slice(-1),
      );

  it("has cases of every op, in the sample too", () => {
    const [all, sample] = [conformanceCases(), conformanceSample()];
    const opsOf = (cases: typeof all): ReadonlySet<string> =>
      new Set(cases.map(({ traits }) => traits.op));
    expect(all.length).toBeGreaterThanOrEqual(341);
    expect(opsOf(all).size).toBeGreaterThanOrEqual(12);
    expect(opsOf(sample)).toEqual(opsOf(all));
    expect(sample.length).toBeGreaterThanOrEqual(79);
    expect(sample.length).toBeLessThan(all.length / 2);
    expect(new Set(products.map(({ traits }) => traits.weightType))).toEqual(new Set(loopTypes));
  });

  it("has blocks of each method with each layout, and both layouts of each type that it decodes", () => {
    const shown = conformanceCases()
      .filter((one) => one.traits.op === "ffn" && !skip.some(({ cases }) => cases(one)))
      .map(({ traits: { weightType, method, downLayout } }) => ({
        weightType,
        method,
        downLayout,
      }));
    const types = new Set(shown.map(({ weightType }) => weightType));
    expect(types.size).toBeGreaterThanOrEqual(11);
    const methods = waysInTurn.flat();
    for (const downLayout of ["columns", "rows"]) {
      const of = shown.filter((one) => one.downLayout === downLayout);
      const ofTypes = of.filter(({ weightType }) => weightType !== "F32");
      expect(new Set(of.map(({ weightType }) => weightType))).toEqual(types);
      expect(new Set(ofTypes.map(({ method }) => method))).toEqual(new Set(methods));
    }
  });

  // Their parts of the active list, and of the sum, are then those of several pieces.
  const cut = ["mlp", "gate", "threshold-gate"].map((method) =>
    conformanceCases().find(
      ({ traits }) =>
        traits.method === method && traits.downLayout === "rows" && traits.weightType === "F32",
    ),
  );
  it.each(cut)("with weights cut into pieces of 16 KiB: $name", async (found) => {
    await expectConformance(found!, 16 * 1024);
  });

  it("with experts cut into pieces of 64 KiB: two of six in each", async () => {
    await expectConformance(fewExperts, 64 * 1024);
  });

  async function expectConformance({ build }: ConformanceCase, maxBinding: Bytes): Promise<void> {
    using backend = await createWebGpuBackend({ adapter: 0, maxBinding });
    const script = build();
    const expected = await expectationOf(script, floatArithmetic);
    const { problems, compared } = await checkCase(backend, script, expected);
    expect(problems).toEqual([]);
    expect(compared).toBeGreaterThan(0);
  }

  const isSkipped = isSample ? " (skipped: HEARTH_CONFORMANCE=sample)" : "";
  describe.skipIf(isSample)(`with loops of constant bounds, as on hardware${isSkipped}`, () => {
    it.each([...products, fewExperts])("$name", async ({ build }) => {
      using backend = await createWebGpuBackend({ adapter: 0, features: "plain", loops: "fixed" });
      const script = build();
      const expected = await expectationOf(script, floatArithmetic);
      const { problems, compared } = await checkCase(backend, script, expected);
      expect(problems).toEqual([]);
      expect(compared).toBeGreaterThan(0);
    });
  });
});
