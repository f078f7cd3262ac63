/** Grids of dispatches at the vocabularies that people run: all within the device's limit, all results computed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rowBytes, type WeightType, weightTypes } from "../../core/dtype.ts";
import { LimitError } from "../../core/errors.ts";
import type { Weight } from "../../ops/op.ts";
import { createProgramBuilder, stepOf } from "../conformance/program-builder.ts";
import { listAdapters } from "./adapter.ts";
import { checkGrids } from "./check-grids.ts";
import {
  fixed,
  foldedGroups,
  type KernelCall,
  guaranteedGroups as maxGroups,
  one,
} from "./kernel.ts";
import { recordProgram } from "./recording.ts";
import { createWebGpuBackend, type WebGpuBackend } from "./webgpu-backend.ts";

const limits = { maxBinding: 2 ** 32, maxBuffer: 2 ** 34 };
const vocabularies = [32_000, 49_152, 65_024, 100_352, 128_256, 140_000, 151_936, 200_064, 262_144];
const rowCounts = [1, 2, 3, 4, 5, 8, 16, 32];

/** Logits of every row: W [vocabulary, columns] x. Nothing is read of the weight while it is recorded. */
function logits(type: WeightType, vocabulary: number, columns: number, rows: number) {
  const builder = createProgramBuilder();
  const x = builder.slot("x", columns);
  const y = builder.slot("y", vocabulary);
  const bytes = vocabulary * rowBytes(type, columns);
  const weight: Weight = {
    name: "output",
    type,
    rows: vocabulary,
    columns,
    bytes: { kind: "file", path: "none.gguf", offset: 0, bytes },
  };
  builder.segment([{ kind: "matmul", x, out: y, into: "assign", weight }], [y]);
  return builder.build({ maxRows: rows });
}

describe("foldedGroups", () => {
  it.each([1, 65_535, 65_536, 70_000, 131_070, 131_071, 10_000_000])("cover %i", (count) => {
    const [x, z] = foldedGroups(count, { maxGroups });
    if (x.kind !== "fixed" || z.kind !== "fixed") throw new Error("folded grids are fixed");
    expect(x.count).toBeLessThanOrEqual(maxGroups);
    expect(z.count).toBeLessThanOrEqual(maxGroups);
    expect(x.count * z.count).toBeGreaterThanOrEqual(count);
    expect(x.count * z.count).toBeLessThan(count + z.count);
  });
});

describe("a recording of logits", () => {
  const cases = weightTypes.flatMap((type) =>
    [2048, 4096, 8192].map((columns) => [type, columns] as const),
  );
  it.each(cases)("in %s with %i columns takes no grid beyond the limit", (type, columns) => {
    let calls = 0;
    for (const vocabulary of vocabularies) {
      for (const rows of rowCounts) {
        const { segments } = recordProgram(logits(type, vocabulary, columns, rows), limits);
        calls += segments.flatMap((segment) => segment.calls).length;
      }
    }
    expect(calls).toBeGreaterThanOrEqual(vocabularies.length * rowCounts.length);
  });

  it("is refused by the kernel's name where a grid is too large", () => {
    const program = logits("F16", 32, 32, 1);
    const call: KernelCall = {
      label: "gemv wide",
      code: "",
      bindings: [],
      groups: [fixed(maxGroups + 1), one, one],
    };
    expect(() => checkGrids([call], program, maxGroups)).toThrow(LimitError);
    expect(() => checkGrids([call], program, maxGroups)).toThrow(
      /gemv wide would take 65536 workgroups/,
    );
  });
});

const hasAdapter = (await listAdapters()).length > 0;

/** In place of 65 535, so that a test folds grids without gigabytes of weights. */
const smallGrid = 50;

describe.skipIf(!hasAdapter)("logits of a folded grid (skipped without a driver)", () => {
  let backend: WebGpuBackend;
  beforeAll(async () => {
    backend = await createWebGpuBackend({ adapter: 0, maxGroups: smallGrid });
  });
  afterAll(() => backend[Symbol.dispose]());

  it.each([1, 2, 4, 8, 32])("are stored for every token, for a step of %i rows", async (rows) => {
    const [vocabulary, columns] = [4100, 256];
    const one = 0x3c00;
    const halves = new Uint16Array(vocabulary * columns);
    for (let row = 0; row < vocabulary; row++) halves[row * columns + (row % columns)] = one;
    const builder = createProgramBuilder();
    const x = builder.slot("x", columns);
    const y = builder.slot("y", vocabulary);
    const weight: Weight = {
      name: "output",
      type: "F16",
      rows: vocabulary,
      columns,
      bytes: { kind: "memory", data: new Uint8Array(halves.buffer) },
    };
    builder.segment([{ kind: "matmul", x, out: y, into: "assign", weight }], [y]);
    const program = builder.build({ maxRows: rows });
    const recorded =
      recordProgram(program, { ...limits, maxGroups: smallGrid }).segments[0]?.calls ?? [];
    const folded = recorded.filter(({ groups: [, , z] }) => z.kind === "fixed" && z.count > 1);
    expect(folded.length).toBeGreaterThan(0);
    using executable = await backend.compile(program);
    // Numbers that halves would not hold: each result is one of them.
    const input = Float32Array.from({ length: rows * columns }, (_, i) => i + 1);
    executable.write(x, input);
    await executable.run(0, stepOf(program, Array(rows).fill({})));
    const found = executable.output(y);
    const wrong = Array.from({ length: rows * vocabulary }, (_, i) => i).filter((i) => {
      const row = Math.floor(i / vocabulary);
      return found[i] !== input[row * columns + ((i % vocabulary) % columns)];
    });
    expect(wrong).toEqual([]);
  });
});
