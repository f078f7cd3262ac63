import { describe, expect, it } from "vitest";
import { transposePlainly } from "../backends/plain-matrices.ts";
import { rowBytes, type WeightType, weightTypes } from "../core/dtype.ts";
import { createRandom } from "../core/random.ts";
import type { Weight } from "../ops/op.ts";
import { quantCodec } from "../quant/codecs.ts";
import { columnNorms, downRowNorms, makeSigns } from "./derived-weights.ts";
import { downRowType, thresholdRowType } from "./transpose-down.ts";

function encode(type: WeightType, rows: number, columns: number, values: Float32Array): Weight {
  const codec = quantCodec(type);
  const data = new Uint8Array(rows * rowBytes(type, columns));
  codec.quantise(values, 0, data, 0, values.length / codec.blockElements);
  return { name: type, type, rows, columns, bytes: { kind: "memory", data } };
}

function decode(weight: Weight): Float32Array {
  const codec = quantCodec(weight.type);
  const values = new Float32Array(weight.rows * weight.columns);
  if (weight.bytes.kind !== "memory") throw new Error("made in memory");
  codec.dequantise(weight.bytes.data, 0, values, 0, values.length / codec.blockElements);
  return values;
}

function random(count: number, seed = 1): Float32Array {
  const { normal } = createRandom(seed);
  return Float32Array.from({ length: count }, () => normal());
}

function transposedOf(values: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from(
    values,
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)] ?? 0,
  );
}

/** Largest difference as a share of the largest value. */
function worst(a: Float32Array, b: Float32Array): number {
  const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return (
    a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? Number.NaN))), 0) /
    largest
  );
}

describe("a transposed down projection", () => {
  const [dim, neurons] = [64, 512];

  it.each(["F32", "F16", "BF16"] as const)(
    "of %s has every element, moved and unchanged",
    async (type) => {
      const weight = encode(type, dim, neurons, random(dim * neurons));
      expect(downRowType(weight)).toBe(type);
      const moved = await transposePlainly(weight, type);
      expect([moved.rows, moved.columns]).toEqual([neurons, dim]);
      expect(decode(moved)).toEqual(transposedOf(decode(weight), dim, neurons));
    },
  );

  it.each(weightTypes.filter((type) => quantCodec(type).blockElements > 1))(
    "of %s is within a rounding of its own values",
    async (type) => {
      const weight = encode(type, dim, neurons, random(dim * neurons));
      const rowType = downRowType(weight);
      const moved = await transposePlainly(weight, rowType);
      // F16: half a unit of 11 bits. Q8_0: half a step of 1/127 of a block's largest, and its scale's 11 bits.
      const bound = rowType === "F16" ? 2 ** -11 : 0.5 / 127 + 2 ** -11;
      expect(worst(decode(moved), transposedOf(decode(weight), dim, neurons))).toBeLessThan(bound);
    },
  );

  it("takes F16 where a row is no whole number of Q8_0 blocks", () => {
    expect(downRowType(encode("Q4_0", 40, 64, random(40 * 64)))).toBe("F16");
    // Thresholds leave most rows to be read: twice the bytes would not be won back.
    expect(thresholdRowType(encode("Q8_0", 64, 64, random(64 * 64)))).toBe("Q8_0");
    expect(thresholdRowType(encode("Q8_0", 40, 64, random(40 * 64)))).toBe("F16");
    expect(thresholdRowType(encode("Q4_K", 256, 256, random(256 * 256)))).toBe("Q8_0");
  });

  it("wider than a strip is put together without a seam", async () => {
    const [wide, many] = [8192, 320];
    const values = Float32Array.from({ length: wide * many }, (_, i) => i % 1021);
    const moved = await transposePlainly(encode("F16", wide, many, values), "F16");
    const expected = encode("F16", many, wide, transposedOf(values, wide, many));
    const bytesOf = ({ bytes }: Weight) => (bytes.kind === "memory" ? Buffer.from(bytes.data) : "");
    expect(Buffer.compare(Buffer.from(bytesOf(moved)), Buffer.from(bytesOf(expected)))).toBe(0);
  });
});

describe("norms of down rows", () => {
  it("are the same for a matrix and its transpose", async () => {
    const values = random(96 * 70);
    const columns = encode("F32", 70, 96, values);
    const norms = await downRowNorms({ layout: "columns", weight: columns });
    const rows = await transposePlainly(columns, "F32");
    expect(await downRowNorms({ layout: "rows", weight: rows })).toEqual(norms);
    const first = Math.hypot(...Array.from({ length: 70 }, (_, r) => values[r * 96] ?? 0));
    expect(norms[0]).toBeCloseTo(first, 5);
  });

  it("of columns are those of all matrices that read an input, below one another", async () => {
    const values = random(70 * 96);
    const upper = encode("F32", 30, 96, values.subarray(0, 30 * 96));
    const lower = encode("F32", 40, 96, values.subarray(30 * 96));
    expect(await columnNorms([upper, lower])).toEqual(
      await columnNorms([encode("F32", 70, 96, values)]),
    );
  });
});

describe("sign bits", () => {
  it("are little-endian, 1 where a weight is negative, padded to 64", async () => {
    const values = new Float32Array(2 * 70).fill(1);
    values[0] = -1;
    values[9] = -0.5;
    values[69] = -2;
    values[70 + 1] = -3;
    values[70 + 2] = -0;
    const signs = await makeSigns(encode("F32", 2, 70, values));
    expect(signs).toHaveLength(32);
    expect([...signs.subarray(0, 16)]).toEqual([
      1, 2, 0, 0, 0, 0, 0, 0, 0b100000, 0, 0, 0, 0, 0, 0, 0,
    ]);
    expect([...signs.subarray(16)]).toEqual([2, ...new Array<number>(15).fill(0)]);
  });
});
