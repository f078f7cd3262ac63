/** The oracle against numbers worked out by hand: each op on a case small enough to compute on paper. */
import { describe, expect, it } from "vitest";
import type { KvShape } from "../../ops/kv-shape.ts";
import type { Op, Slot, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import {
  createProgramBuilder,
  memoryWeight,
  type ProgramBuilder,
  type StepRow,
  sameLayers,
  stepOf,
} from "../conformance/program-builder.ts";
import { createReferenceBackend } from "./reference-backend.ts";

interface Run {
  readonly rows?: readonly StepRow[];
  readonly outputRows?: readonly number[];
  readonly kv?: KvShape;
}

/** Runs one segment of `ops` after writing `inputs`, and gives back `out`. */
async function runOps(
  builder: ProgramBuilder,
  ops: readonly Op[],
  inputs: readonly (readonly [Slot, readonly number[]])[],
  out: Slot,
  { rows = [{}], outputRows = [], kv }: Run = {},
): Promise<number[]> {
  builder.segment(ops, [out]);
  const limits = { maxRows: rows.length, maxOutputs: outputRows.length };
  const program: Program = builder.build(kv === undefined ? limits : { ...limits, kv });
  using backend = createReferenceBackend();
  using executable = await backend.compile(program);
  for (const [slot, data] of inputs) executable.write(slot, Float32Array.from(data));
  await executable.run(0, stepOf(program, rows, outputRows));
  return [...executable.output(out)];
}

function f32(rows: number, columns: number, values: readonly number[]): Weight {
  return memoryWeight("w", "F32", [rows, columns], Float32Array.from(values));
}

/** f32 rounding of a value of magnitude about 1: half an ulp is 2^-24. */
function expectClose(got: readonly number[], expected: readonly number[]): void {
  expect(got).toHaveLength(expected.length);
  got.forEach((value, i) => {
    const want = expected[i]!;
    expect(Math.abs(value - want), `element ${i}: ${value}, not ${want}`).toBeLessThanOrEqual(
      2 ** -23 * Math.max(1, Math.abs(want)),
    );
  });
}

describe("reference: rows and matrices", () => {
  it("embeds a token as its row of the table, scaled, plus the row of its position", async () => {
    const builder = createProgramBuilder();
    const out = builder.slot("out", 2);
    const table = f32(3, 2, [0, 1, 2, 3, 4, 5]);
    const positions = { weight: f32(4, 2, [0, 0, 0, 0, 0.5, 0.25, 10, 20]), offset: 2 };
    const rows = [
      { token: 2, position: 0 },
      { token: 1, position: 1 },
    ];
    const op: Op = { kind: "embed", out, table, positions, scale: 2 };
    expect(await runOps(builder, [op], [], out, { rows })).toEqual([8.5, 10.25, 14, 26]);
  });

  it("multiplies a 2x2 matrix with two rows, adds the bias, and assigns", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 2);
    const out = builder.slot("out", 2);
    const weight = f32(2, 2, [1, 2, 3, 4]);
    const op: Op = { kind: "matmul", x, out, into: "assign", weight, bias: f32(1, 2, [10, 20]) };
    const got = await runOps(
      builder,
      [op],
      [
        [x, [5, 6, -1, 1]],
        [out, [9, 9, 9, 9]],
      ],
      out,
      {
        rows: [{}, {}],
      },
    );
    expect(got).toEqual([10 + 5 + 12, 20 + 15 + 24, 10 - 1 + 2, 20 - 3 + 4]);
  });

  it("adds a matmul of five rows to what the slot holds", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 1);
    const out = builder.slot("out", 2);
    const op: Op = { kind: "matmul", x, out, into: "add", weight: f32(2, 1, [2, 3]) };
    const inputs = [
      [x, [1, 2, 3, 4, 5]],
      [out, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]],
    ] as const;
    const got = await runOps(builder, [op], inputs, out, { rows: [{}, {}, {}, {}, {}] });
    expect(got).toEqual([3, 4, 5, 7, 7, 10, 9, 13, 11, 16]);
  });

  it("adds and copies rows, and selects the rows that want an output", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 2);
    const y = builder.slot("y", 2);
    const out = builder.slot("out", 2, "outputs");
    const ops: Op[] = [
      { kind: "copy", x, out: y },
      { kind: "add", x, out: y },
      { kind: "select", x: y, out },
    ];
    const rows = [{}, {}, {}];
    const got = await runOps(builder, ops, [[x, [1, 2, 3, 4, 5, 6]]], out, {
      rows,
      outputRows: [0, 2],
    });
    expect(got).toEqual([2, 4, 10, 12]);
  });

  it("takes the lowest index of the largest value", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 4);
    const out = builder.slot("out", 1);
    const inputs = [[x, [1, 7, 7, 2, -5, -4, -4, -9]]] as const;
    const got = await runOps(builder, [{ kind: "argmax", x, out }], inputs, out, {
      rows: [{}, {}],
    });
    expect(got).toEqual([1, 1]);
  });
});

describe("reference: norms and positions", () => {
  it("divides by the root of the mean square (3, 4 -> root of 12.5) and multiplies by the weight", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 2);
    const op: Op = {
      kind: "norm",
      form: "rms",
      x,
      out: x,
      groups: 1,
      weight: f32(1, 2, [1, 2]),
      epsilon: 0,
    };
    expectClose(await runOps(builder, [op], [[x, [3, 4]]], x), [0.848528137, 2.262741699]);
  });

  it("norms each group by itself, with epsilon inside the root", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 4);
    const op: Op = { kind: "norm", form: "rms", x, out: x, groups: 2, epsilon: 3 };
    // Group (1, 1): 1/√(1 + 3) = 1/2. Group (1, 7): mean square 25, 1/√28.
    const got = await runOps(builder, [op], [[x, [1, 1, 1, 7]]], x);
    expectClose(got, [0.5, 0.5, 0.188982237, 1.322875656]);
  });

  it("subtracts the mean for a layer norm, then weighs and adds the bias", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 4);
    const out = builder.slot("out", 4);
    const weight = f32(1, 4, [1, 1, 2, 2]);
    const bias = f32(1, 4, [0, 1, 0, 1]);
    const op: Op = { kind: "norm", form: "layer", x, out, groups: 1, weight, bias, epsilon: 0 };
    // 1, 1, 3, 3: mean 2, variance 1.
    expectClose(await runOps(builder, [op], [[x, [1, 1, 3, 3]]], out), [-1, 0, 2, 3]);
  });

  it("rotates adjacent pairs by position times frequency and leaves the rest of the head", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 6);
    const frequencies = Float32Array.from([Math.PI / 2, 1]);
    const op: Op = { kind: "rope", x, heads: 1, pairing: "adjacent", frequencies, magnitude: 1 };
    const rows = [{ position: 1 }];
    const got = await runOps(builder, [op], [[x, [1, 2, 1, 0, 5, 6]]], x, { rows });
    // A quarter turn takes (1, 2) to (−2, 1); one radian takes (1, 0) to (cos 1, sin 1).
    expectClose(got, [-2, 1, 0.540302306, 0.841470985, 5, 6]);
  });

  it("rotates halves of each head, with the magnitude as a factor", async () => {
    const builder = createProgramBuilder();
    const x = builder.slot("x", 8);
    const frequencies = Float32Array.from([Math.PI / 4, 0]);
    const op: Op = { kind: "rope", x, heads: 2, pairing: "halves", frequencies, magnitude: 2 };
    const rows = [{ position: 2 }];
    const got = await runOps(builder, [op], [[x, [1, 5, 2, 6, 0, 1, 1, 0]]], x, { rows });
    expectClose(got, [-4, 10, 2, 12, -2, 2, 0, 0]);
  });
});

describe("reference: attention", () => {
  const limits = { contextLength: 4, sequences: 2, type: "f32" } as const;
  const kv = sameLayers({ layers: 1, kvHeads: 1, headDim: 2, ...limits });

  it("weighs values by the softmax of the scores: scores 0 and ln 3 weigh 1/4 and 3/4", async () => {
    const builder = createProgramBuilder();
    const [q, k, v, out] = ["q", "k", "v", "out"].map((name) => builder.slot(name, 2)) as [
      Slot,
      Slot,
      Slot,
      Slot,
    ];
    const ops: Op[] = [
      { kind: "store-kv", layer: 0, k, v },
      { kind: "attention", layer: 0, q, out, heads: 1, scale: 0.5 },
    ];
    const rows = [{ position: 0 }, { position: 1 }];
    const inputs = [
      [q, [9, 9, 2, 0]],
      [k, [0, 5, Math.log(3), 7]],
      [v, [4, 0, 8, 4]],
    ] as const;
    // Row 0 sees only itself; row 1 has scores 0.5·2·(0, ln 3).
    expectClose(await runOps(builder, ops, inputs, out, { rows, kv }), [4, 0, 7, 3]);
  });

  it("keeps sequences apart and shares a KV head among the heads of its group", async () => {
    const builder = createProgramBuilder();
    const q = builder.slot("q", 4);
    const k = builder.slot("k", 2);
    const v = builder.slot("v", 2);
    const out = builder.slot("out", 4);
    const ops: Op[] = [
      { kind: "store-kv", layer: 0, k, v },
      { kind: "attention", layer: 0, q, out, heads: 2, scale: 1 },
    ];
    const rows = [{ sequence: 1 }, { sequence: 0 }];
    const inputs = [
      [q, [1, 2, 3, 4, 5, 6, 7, 8]],
      [k, [1, 1, 2, 2]],
      [v, [10, 20, 30, 40]],
    ] as const;
    const got = await runOps(builder, ops, inputs, out, { rows, kv });
    expect(got).toEqual([10, 20, 10, 20, 30, 40, 30, 40]);
  });

  it("gives back values as an f16 cache holds them", async () => {
    const builder = createProgramBuilder();
    const [q, k, v, out] = ["q", "k", "v", "out"].map((name) => builder.slot(name, 2)) as [
      Slot,
      Slot,
      Slot,
      Slot,
    ];
    const ops: Op[] = [
      { kind: "store-kv", layer: 0, k, v },
      { kind: "attention", layer: 0, q, out, heads: 1, scale: 1 },
    ];
    // f16 has steps of 2 at 2048: 2049 is a tie that goes to even, 2048; 0.1 becomes 0.0999755859375.
    const inputs = [[v, [2049, 0.1]]] as const;
    const got = await runOps(builder, ops, inputs, out, { kv: { ...kv, type: "f16" } });
    expect(got).toEqual([2048, 0.0999755859375]);
  });
});
