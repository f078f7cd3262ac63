/** What the reference does besides computing: shapes are refused by name, loading reports and aborts, running yields. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HearthError, ShapeError } from "../../core/errors.ts";
import type { Op, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import {
  createProgramBuilder,
  memoryWeight,
  sameLayers,
  stepOf,
} from "../conformance/program-builder.ts";
import { createReferenceBackend } from "./reference-backend.ts";

function zeros(type: "F32" | "Q8_0", rows: number, columns: number): Weight {
  return memoryWeight("w", type, [rows, columns], new Float32Array(rows * columns));
}

function matmulProgram(weight: Weight, [width, outWidth]: readonly [number, number]): Program {
  const builder = createProgramBuilder();
  const x = builder.slot("x", width);
  const out = builder.slot("out", outWidth);
  builder.segment([{ kind: "matmul", x, out, into: "assign", weight }], [out]);
  return builder.build({ maxRows: 64 });
}

async function compileOps(
  make: (builder: ReturnType<typeof createProgramBuilder>) => Op,
): Promise<void> {
  const builder = createProgramBuilder();
  builder.segment([make(builder)], []);
  using _executable = await createReferenceBackend().compile(builder.build({ maxRows: 1 }));
}

describe("compile refuses", () => {
  it("a matrix that does not fit its slots", async () => {
    const compiled = createReferenceBackend().compile(matmulProgram(zeros("F32", 3, 2), [2, 4]));
    await expect(compiled).rejects.toThrow("matmul: expected w [4, 2], got [3, 2]");
  });

  it("bytes that are fewer than the shape says", async () => {
    const weight: Weight = { ...zeros("Q8_0", 2, 32), rows: 3 };
    const compiled = createReferenceBackend().compile(matmulProgram(weight, [32, 3]));
    await expect(compiled).rejects.toThrow(ShapeError);
  });

  it("a gate threshold for a block without a gate", async () => {
    const compiled = compileOps((builder) => ({
      kind: "ffn",
      x: builder.slot("x", 2),
      out: builder.slot("out", 2),
      into: "assign",
      block: {
        layer: 0,
        dim: 2,
        neurons: 2,
        gating: "ungated",
        activation: { kind: "relu" },
        up: zeros("F32", 2, 2),
        down: { layout: "rows", weight: zeros("F32", 2, 2) },
        method: { kind: "threshold-gate", value: 1 },
      },
    }));
    await expect(compiled).rejects.toThrow("a gated block");
  });

  it("attention in a layer that the cache lacks", async () => {
    const compiled = compileOps((builder) => ({
      kind: "attention",
      layer: 1,
      q: builder.slot("q", 1),
      out: builder.slot("out", 1),
      heads: 1,
      scale: 1,
    }));
    await expect(compiled).rejects.toThrow(
      "a layer with keys and values, got layer 1 of a cache of 1",
    );
  });

  it("a q8_0 cache whose heads are no whole blocks", async () => {
    const program = createProgramBuilder().build({
      maxRows: 1,
      kv: sameLayers({
        layers: 1,
        kvHeads: 1,
        headDim: 80,
        contextLength: 1,
        sequences: 1,
        type: "q8_0",
      }),
    });
    await expect(createReferenceBackend().compile(program)).rejects.toThrow("multiple of 32");
  });
});

describe("the reference", () => {
  it("loads weights from a file, reports progress in bytes of the file, and holds a shared one once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hearth-reference-"));
    try {
      const path = join(folder, "weights");
      writeFileSync(path, new Uint8Array(Float32Array.of(9, 1, 2, 3, 4).buffer));
      const bytes = { kind: "file", path, offset: 4, bytes: 16 } as const;
      const weight: Weight = { name: "w", type: "F32", rows: 2, columns: 2, bytes };
      const builder = createProgramBuilder();
      const [x, out] = [builder.slot("x", 2), builder.slot("out", 2)];
      const matmul = (of: Weight): Op => ({ kind: "matmul", x, out, into: "assign", weight: of });
      builder.segment([matmul(weight), matmul({ ...weight, name: "tied" })], [out]);
      const seen: string[] = [];
      const program = builder.build({ maxRows: 1 });
      using executable = await createReferenceBackend().compile(program, {
        onProgress: ({ done, total }) => seen.push(`${done}/${total}`),
      });
      expect(seen).toEqual(["16/32", "32/32"]);
      expect(executable.memory.copiedWeights).toBe(16);
      executable.write(x, Float32Array.of(1, 10));
      await executable.run(0, stepOf(program, [{}]));
      expect([...executable.output(out)]).toEqual([21, 43]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("stops loading when it is aborted", async () => {
    const program = matmulProgram(zeros("F32", 2, 2), [2, 2]);
    const signal = AbortSignal.abort();
    await expect(createReferenceBackend().compile(program, { signal })).rejects.toThrow("abort");
  });

  it("refuses to run after it was disposed, and to show a slot that is no output yet", async () => {
    const program = matmulProgram(zeros("F32", 2, 2), [2, 2]);
    const executable = await createReferenceBackend().compile(program);
    expect(() => executable.output(program.slots[1]!)).toThrow(HearthError);
    executable[Symbol.dispose]();
    await expect(executable.run(0, stepOf(program, [{}]))).rejects.toThrow("disposed");
  });

  it("lets the event loop turn several times during long work", async () => {
    const program = matmulProgram(zeros("F32", 1024, 1024), [1024, 1024]);
    using executable = await createReferenceBackend().compile(program);
    const rows = Array.from({ length: 64 }, () => ({}));
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    // 134 million products in JavaScript: at least 60 ms on any machine, twelve of the pacer's pauses.
    await executable.run(0, stepOf(program, rows));
    await executable.run(0, stepOf(program, rows));
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(3);
  });
});
