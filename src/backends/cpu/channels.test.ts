/** Products over input channels at sizes beyond the conformance suite's: which columns are read, and in how many pieces. */
import { describe, expect, it } from "vitest";
import { createRandom } from "../../core/random.ts";
import type { FfnBlock, Op, Slot, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { loadAddon } from "../addon.ts";
import { channelCopy, withChannels } from "../conformance/channels.ts";
import { createProgramBuilder, memoryWeight, stepOf } from "../conformance/program-builder.ts";
import { createCpuBackend } from "./cpu-backend.ts";

const loaded = loadAddon();
const reason = loaded.kind === "missing" ? ` (skipped: ${loaded.reason})` : "";

const random = createRandom(11);
/** Multiples of 1/8 up to 1: exact in F16, and so are sums of some hundred products of them in f32. */
function eighths(length: number): Float32Array {
  return Float32Array.from({ length }, () => Math.round(random.uniform() * 16 - 8) / 8);
}

/** Wide enough that private sums are joined in several chunks: (4 groups + 1) · 8192 floats. */
const wide = { channels: 256, rows: 8192 } as const;

function productProgram(weights: readonly Weight[]): {
  readonly program: Program;
  readonly x: Slot;
  readonly outs: readonly Slot[];
} {
  const builder = createProgramBuilder();
  const x = builder.slot("x", wide.channels);
  const outs = weights.map(({ rows }, i) => builder.slot(`y${i}`, rows));
  const ops = outs.map((out, i): Op => {
    const weight = weights[i] as Weight;
    const channels = channelCopy(weight, "F16");
    return { kind: "matmul", x, out, into: "assign", weight, channels };
  });
  builder.segment(ops, outs);
  return { program: builder.build({ maxRows: 16 }), x, outs };
}

/** A row in which only the first channels of each eight are not zero. */
function rowWith(ofEight: number): Float32Array {
  return eighths(wide.channels).map((value, i) => (i % 8 < ofEight ? value || 1 : 0));
}

function exactProduct(values: Float32Array, x: Float32Array): Float32Array {
  return Float32Array.from({ length: values.length / x.length }, (_, row) =>
    x.reduce((sum, value, i) => sum + value * (values[row * x.length + i] ?? 0), 0),
  );
}

describe.skipIf(loaded.kind === "missing")(`products over channels${reason}`, () => {
  const values = eighths(wide.rows * wide.channels);
  const large = memoryWeight("large", "F16", [wide.rows, wide.channels], values);
  const small = memoryWeight("small", "F16", [40, wide.channels], values);
  const dense = (rows: number): number => rows * wide.channels * 2;

  it("reads the channels that are not zero, with the same exact result for any number of threads", async () => {
    const { program, x, outs } = productProgram([large, small]);
    const row = rowWith(3);
    for (const threads of [1, 2, 3]) {
      using backend = createCpuBackend({ threads });
      using executable = await backend.compile(program);
      executable.write(x, row);
      await executable.run(0, stepOf(program, [{}]));
      const [first, second] = outs.map((slot) => executable.output(slot));
      expect(first).toEqual(exactProduct(values, row));
      expect(second).toEqual(exactProduct(values.subarray(0, 40 * wide.channels), row));
      const channels = (wide.channels / 8) * 3;
      expect(executable.channelCounts()).toEqual([
        { rows: 1, channels, bytesTouched: channels * 8192 * 2, bytesDense: dense(8192) },
        { rows: 1, channels, bytesTouched: channels * 40 * 2, bytesDense: dense(40) },
      ]);
    }
  });

  it("reads the rows where most channels count, or where there are many rows", async () => {
    const { program, x, outs } = productProgram([small]);
    using backend = createCpuBackend({ threads: 2 });
    using executable = await backend.compile(program);
    const [out] = outs as readonly [Slot];
    for (const [rows, ofEight] of [
      [1, 8],
      [16, 1],
    ] as const) {
      const input = Array.from({ length: rows }, () => rowWith(ofEight));
      executable.write(x, Float32Array.from(input.flatMap((row) => [...row])));
      await executable.run(0, stepOf(program, new Array(rows).fill({})));
      const expected = input.map((row) => exactProduct(values.subarray(0, 40 * 256), row));
      expect(executable.output(out)).toEqual(
        Float32Array.from(expected.flatMap((row) => [...row])),
      );
      const channels = rows * wide.channels;
      expect(executable.channelCounts()).toEqual([
        { rows, channels, bytesTouched: dense(40), bytesDense: dense(40) },
      ]);
    }
  });

  it("lets no channel that is not a number go unseen", async () => {
    const { program, x, outs } = productProgram([small]);
    using backend = createCpuBackend({ threads: 1 });
    using executable = await backend.compile(program);
    const row = rowWith(1);
    row[100] = Number.NaN;
    executable.write(x, row);
    await executable.run(0, stepOf(program, [{}]));
    const [out] = outs as readonly [Slot];
    expect(executable.output(out).every(Number.isNaN)).toBe(true);
  });

  it("scores more neurons than one chunk joins, each row of a step by its own channels", async () => {
    const [dim, neurons] = [wide.channels, 1300];
    const matrix = (name: string): Weight =>
      memoryWeight(name, "F16", [neurons, dim], eighths(neurons * dim));
    const block: FfnBlock = withChannels(
      {
        layer: 0,
        dim,
        neurons,
        gating: "gated",
        activation: { kind: "relu" },
        gate: matrix("gate"),
        up: matrix("up"),
        down: { layout: "rows", weight: matrix("down") },
        method: {
          kind: "threshold-output",
          value: 0,
          downNorms: new Float32Array(neurons).fill(1),
        },
      },
      "F16",
    );
    const run = async (
      threads: number,
      blockOf: FfnBlock,
    ): Promise<{ readonly out: Float32Array; readonly bytes: number | undefined }> => {
      const builder = createProgramBuilder();
      const x = builder.slot("x", dim);
      const y = builder.slot("y", dim);
      builder.segment([{ kind: "ffn", x, out: y, into: "assign", block: blockOf }], [y]);
      const program = builder.build({ maxRows: 2 });
      using backend = createCpuBackend({ threads });
      using executable = await backend.compile(program);
      executable.write(x, Float32Array.from([...one, ...other]));
      await executable.run(0, stepOf(program, [{}, {}]));
      return { out: executable.output(y).slice(), bytes: executable.ffnCounts()[0]?.bytesTouched };
    };
    const [one, other] = [rowWith(3), rowWith(2)];
    const { channels: _, ...plain } = block;
    const expected = await run(1, plain);
    for (const threads of [1, 2, 3]) {
      const { out, bytes } = await run(threads, block);
      // Scores are exact either way, so every neuron is active in both or in none and h is the same.
      expect(out).toEqual(expected.out);
      const saved = 2 * neurons * dim * 2 * (2 - (3 + 2) / 8);
      expect(bytes).toBe((expected.bytes ?? 0) - saved);
    }
  });
});
