/** Steps are cut into submissions by their work: early enough to start the card, small enough for a driver's limit. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { GiB, MiB } from "../../core/units.ts";
import { conformanceCases, expectationOf } from "../conformance/all-cases.ts";
import { checkCase } from "../conformance/check-case.ts";
import { floatArithmetic } from "../tolerance.ts";
import { listAdapters } from "./adapter.ts";
import { blockProgram, callsOf } from "./fixture.ts";
import { createRunShape } from "./run-shape.ts";
import { SubmissionCuts } from "./submission-cuts.ts";
import { createWebGpuBackend, type WebGpuBackend } from "./webgpu-backend.ts";
import { workOf } from "./work.ts";

/** A software adapter's compiler may take minutes for one kernel. */
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

/** Work of each submission of a step that consists of such calls. */
function submissions(calls: readonly number[]): readonly number[] {
  const cuts = new SubmissionCuts();
  cuts.begin(calls.reduce((sum, work) => sum + work, 0));
  const found = [0];
  for (const work of calls) {
    if (cuts.isBefore(work)) found.push(0);
    found[found.length - 1]! += work;
  }
  return found;
}

/** Work of the calls of `layers` blocks for a step of so many rows. */
function blockWork(
  block: Parameters<typeof blockProgram>[0],
  rows: number,
  layers: number,
): number[] {
  const shape = { ...createRunShape(), rows, outputs: rows };
  const calls = callsOf(blockProgram({ ...block, maxRows: rows }), rows);
  const layer = calls.map(({ call }) => workOf(call, shape));
  return Array.from({ length: layers }, () => layer).flat();
}

const large = { dim: 4096, neurons: 11_008, method: "dense", layout: "columns" } as const;
const small = { ...large, dim: 288, neurons: 768 };

describe("submissions", () => {
  it("leave a step of a small model whole", () => {
    expect(submissions(blockWork(small, 1, 6))).toHaveLength(1);
    expect(submissions([])).toEqual([0]);
    expect(submissions([0, 0, 40 * MiB, 60 * MiB])).toHaveLength(1);
  });

  it("let the card begin after an eighth of a token of a large one", () => {
    const work = blockWork(large, 1, 32);
    const total = work.reduce((sum, bytes) => sum + bytes, 0);
    const found = submissions(work);
    expect(total).toBeGreaterThan(2 * GiB);
    expect(found.length).toBeGreaterThanOrEqual(6);
    expect(found.length).toBeLessThanOrEqual(8);
    expect(found[0]! / total).toBeLessThan(0.17);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(64 * MiB);
  });

  it("keep a prompt of 512 rows below the time that drivers allow", () => {
    const found = submissions(blockWork(large, 512, 32));
    // 2.2 T multiply-adds: 22 s on the slow card, in one submission.
    expect(found.length).toBeGreaterThan(30);
    expect(Math.max(...found)).toBeLessThanOrEqual(8 * GiB);
  });

  it("give a call that is larger than all of them a submission of its own", () => {
    expect(submissions([GiB, 9 * GiB, GiB])).toEqual([GiB, 9 * GiB, GiB]);
  });
});

const hasAdapter = (await listAdapters()).length > 0;

describe.skipIf(!hasAdapter)("a step in pieces (skipped without a driver)", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createWebGpuBackend({ adapter: 0, cuts: { smallest: 1, largest: 4096 } });
  });
  afterAll(() => backend[Symbol.dispose]());

  it("gives the same results as a whole one", async () => {
    const name = "runs a model of one F16 layer: prefill, decode, two sequences in one step";
    const script = conformanceCases()
      .find((found) => found.name === name)!
      .build();
    const { problems, compared } = await checkCase(
      backend,
      script,
      await expectationOf(script, floatArithmetic),
    );
    expect(problems).toEqual([]);
    expect(compared).toBeGreaterThan(0);
    using executable = await backend.compile(script.program);
    for (const action of script.actions) {
      if (action.kind === "run") await executable.run(action.segment, action.step);
    }
    const { runs, submits } = executable.gpuCounts();
    expect(submits).toBeGreaterThanOrEqual(4 * runs);
  });
});
