/** A mixture of experts as it is recorded, of the shape of Qwen3-30B-A3B: forms by rows, exact bytes, pieces, refusals. */
import { describe, expect, it } from "vitest";
import { LimitError, UnsupportedError } from "../../core/errors.ts";
import { createRandom } from "../../core/random.ts";
import { MiB } from "../../core/units.ts";
import type { StackedWeight } from "../../ops/op.ts";
import { createProgramBuilder } from "../conformance/program-builder.ts";
import { callsOf, largeCard, unreadWeight } from "./fixture.ts";
import type { BufferSpec } from "./kernel.ts";
import { bytesOf, recordProgram } from "./recording.ts";
import { tileCount } from "./run-shape.ts";
import { rowLayout } from "./weight-layout.ts";

const [dim, neurons, used] = [2048, 768, 8];

function mixture(count: number, isFused: boolean, maxRows = 512) {
  const builder = createProgramBuilder();
  const x = builder.slot("x", dim);
  const logits = builder.slot("logits", count);
  const routes = builder.slot("routes", 2 * used);
  const out = builder.slot("out", dim);
  const router = { scores: "softmax", normalise: true, scale: 1 } as const;
  const stacked = (name: string, rows: number, columns: number): StackedWeight => {
    const weight = unreadWeight(name, "Q4_K", count * rows, columns);
    return { weight, first: 0, stride: rows, rows };
  };
  const both = stacked("gate and up", 2 * neurons, dim);
  const stack = {
    layer: 0,
    count,
    dim,
    neurons,
    gating: "gated",
    activation: { kind: "silu" },
    gate: isFused ? { ...both, rows: neurons } : stacked("gate", neurons, dim),
    up: isFused ? { ...both, rows: neurons, first: neurons } : stacked("up", neurons, dim),
    down: stacked("down", dim, neurons),
  } as const;
  builder.segment(
    [
      { kind: "route", x: logits, out: routes, router },
      { kind: "experts", x, routes, out, into: "assign", stack },
    ],
    [out],
  );
  return builder.build({ maxRows });
}

/** Rows that the buffers hold, by tensor: each must be there once. */
function rowsHeld(buffers: readonly BufferSpec[]): ReadonlyMap<string, readonly number[]> {
  const held = new Map<string, number[]>();
  for (const part of buffers.flatMap(({ contents }) => contents)) {
    if (part.kind !== "rows") continue;
    const rows = Array.from({ length: part.rowCount }, (_, i) => part.firstRow + i);
    held.set(part.name, [...(held.get(part.name) ?? []), ...rows]);
  }
  return held;
}

describe("a mixture of 128 experts", () => {
  it.each([
    [1, ["route", "gemv", "gemv", "experts 0 sum"]],
    [2, ["route", "experts in tiles of 4", "gemv", "gemv", "experts 0 sum"]],
    [65, ["route", "experts in tiles of 16", "gemv", "gemv", "experts 0 sum"]],
    [512, ["route", "experts in tiles of 32", "gemm", "gemm", "experts 0 sum"]],
  ])("takes for %i rows these kernels", (rows, kernels) => {
    const labels = callsOf(mixture(128, false), rows).map(({ call }) => call.label);
    expect(labels.map((label) => kernels.find((start) => label.startsWith(start)))).toEqual(
      kernels,
    );
  });

  it("has one form for every count of rows", () => {
    const program = mixture(128, false);
    for (const rows of [2, 63, 64, 65, 66, 191, 192, 193, 194, 511, 512]) {
      expect(callsOf(program, rows)).toHaveLength(5);
    }
  });

  it.each([false, true])(
    "holds each row once, in whole experts (gate and up in one tensor: %s)",
    (isFused) => {
      const rowBytes = 2 * neurons * rowLayout("Q4_K", dim).gpuBytes;
      const bytes = 128 * (rowBytes + dim * rowLayout("Q4_K", neurons).gpuBytes);
      for (const maxBinding of [largeCard.maxBinding, 40 * MiB]) {
        const recording = recordProgram(mixture(128, isFused), { ...largeCard, maxBinding });
        expect(bytesOf(recording, "weights")).toBe(bytes);
        for (const [name, rows] of rowsHeld(recording.buffers)) {
          const count =
            128 * (name === "down" ? dim : name === "gate and up" ? 2 * neurons : neurons);
          expect([name, new Set(rows).size, rows.length]).toEqual([name, count, count]);
        }
      }
    },
  );

  it("is refused where one expert is more than a binding", () => {
    const record = () =>
      recordProgram(mixture(128, false, 1), { ...largeCard, maxBinding: 1 * MiB });
    expect(record).toThrow(LimitError);
    expect(record).toThrow(
      "1.7 MiB that must lie together exceed what the adapter can bind (1.0 MiB)",
    );
  });

  it("is refused where its router has too many experts", () => {
    const record = () => recordProgram(mixture(4096, false), largeCard);
    expect(record).toThrow(UnsupportedError);
    expect(record).toThrow("a router of 4096 experts on the GPU");
  });
});

describe("tiles of pairs", () => {
  it("are never more than are dispatched", () => {
    const random = createRandom(5);
    for (let turn = 0; turn < 200; turn++) {
      const [experts, rows, per] = [
        1 + random.integer(40),
        1 + random.integer(90),
        1 + random.integer(32),
      ];
      const counts = new Array<number>(experts).fill(0);
      for (let row = 0; row < rows; row++) counts[random.integer(1 + random.integer(experts))]!++;
      const tiles = counts.reduce((sum, count) => sum + Math.ceil(count / per), 0);
      expect(tiles).toBeLessThanOrEqual(tileCount(rows, { used: 1, experts, per }));
    }
    expect(tileCount(33, { used: 2, experts: 5, per: 1 })).toBe(66);
  });
});
