/** Cases of masks on input magnitude. */
import type { Op, Slot } from "../../ops/op.ts";
import type { CaseScript, ConformanceCase } from "./case.ts";
import { type CaseData, createCaseData } from "./case-data.ts";
import { runsOf } from "./cases-rows.ts";
import { createProgramBuilder } from "./program-builder.ts";

/** Below the width of a vector, and many of them. */
export function maskCases(): readonly ConformanceCase[] {
  return [7, 77, 256].map(maskCase);
}

/** The threshold of the cases of masks. */
const threshold = 0.75;

function maskCase(width: number): ConformanceCase {
  return {
    name: `masks rows of ${width} below a threshold, with and without norms, in place and not, and keeps NaN`,
    scale: "small",
    traits: { op: "mask" },
    build: () => maskScript(width),
  };
}

function maskScript(width: number): CaseScript {
  const data = createCaseData(width);
  const builder = createProgramBuilder();
  const slot = (name: string): Slot => builder.slot(name, width);
  const [x, plain, normed, all, none] = [
    slot("x"),
    slot("plain"),
    slot("normed"),
    slot("all"),
    slot("none"),
  ] as const;
  const norms = data.normal(width).map((value) => 0.1 + Math.abs(value));
  const ops: Op[] = [
    { kind: "mask", x, out: plain, value: threshold },
    { kind: "mask", x, out: normed, value: threshold, norms },
    { kind: "mask", x, out: all, value: 0, norms },
    { kind: "mask", x, out: none, value: 1e30 },
    { kind: "mask", x, out: x, value: threshold / 2, norms },
  ];
  builder.segment(ops, [plain, normed, all, none, x]);
  const program = builder.build({ maxRows: 33 });
  const actions = runsOf(program, [1, 5, 33], (rows) => [
    { kind: "write", slot: x, data: maskInputs(data, rows, norms) },
  ]);
  return { program, actions };
}

/** The last row lies at the threshold with its norms, so near that only a product rounded to f32 judges alike. */
function maskInputs(data: CaseData, rows: number, norms: Float32Array): Float32Array {
  const values = data.normal(rows * norms.length);
  norms.forEach((norm, i) => {
    if (i % 2 === 0) values[(rows - 1) * norms.length + i] = threshold / norm;
  });
  values.set([threshold, -threshold, Number.NaN, threshold * (1 - 2 ** -24), -0, 1e30]);
  return values;
}
