/** What steps of one to many rows read, and which forms of a kernel they take: no count of rows falls off a cliff. */
import { describe, expect, it } from "vitest";
import { createProgramBuilder } from "../conformance/program-builder.ts";
import { computeUnits } from "./fill.ts";
import { callsOf, unreadWeight } from "./fixture.ts";
import { createRunShape } from "./run-shape.ts";
import { rowLayout } from "./weight-layout.ts";
import { bytesRead } from "./work.ts";

function product(rows: number, columns: number, maxRows: number) {
  const builder = createProgramBuilder();
  const x = builder.slot("x", columns);
  const y = builder.slot("y", rows);
  const weight = unreadWeight("w", "Q4_0", rows, columns);
  builder.segment([{ kind: "matmul", x, out: y, into: "assign", weight }], [y]);
  return builder.build({ maxRows });
}

/** Rows of a step; the form that multiplies them; how often each weight is read. */
const table = [
  [1, "gemv", 1],
  [2, "gemv", 1],
  [4, "gemv", 1],
  [5, "gemv", 1],
  [8, "gemv", 1],
  [9, "gemv", 1],
  [16, "gemv", 1],
  [17, "gemm", 1],
  [32, "gemm", 1],
  [33, "gemm", 2],
  [64, "gemm", 2],
  [128, "gemm", 4],
  [512, "gemm", 16],
] as const;

describe("a product of 4096 × 4096", () => {
  const program = product(4096, 4096, 512);
  const bytes = 4096 * rowLayout("Q4_0", 4096).gpuBytes;

  it.each(table)("of %i rows runs as %s and reads each weight %i times", (rows, form, reads) => {
    const shape = { ...createRunShape(), rows, outputs: rows };
    const calls = callsOf(program, rows).filter(({ call }) => call.work !== undefined);
    expect(calls.map(({ call }) => call.label)).toEqual([`${form} w`]);
    expect(bytesRead(calls[0]!.call, shape)).toBe(reads * bytes);
  });

  it("has one form for every count of rows, and none of fewer rows than a step that is smaller", () => {
    let last = 0;
    for (let rows = 1; rows <= 512; rows++) {
      const found = callsOf(program, rows).filter(({ call }) => call.work !== undefined);
      expect(found).toHaveLength(1);
      const served = found[0]!.call.work!.rows;
      expect(served).toBeGreaterThanOrEqual(Math.min(rows, 32));
      expect(served).toBeGreaterThanOrEqual(last);
      // At most half of what a form computes is for rows that the step does not have.
      if (rows > 2) expect(served).toBeLessThan(2 * rows);
      last = served;
    }
  });

  it.each([1, 2, 8, 16, 17, 32, 64, 65, 128])("fills a card with %i rows", (rows) => {
    const [call] = callsOf(program, rows).filter(({ call: { work } }) => work !== undefined);
    const threads = call!.call.label.startsWith("gemm") ? 128 : 64;
    expect(call!.groups * threads).toBeGreaterThanOrEqual(3 * 64 * computeUnits);
  });
});
