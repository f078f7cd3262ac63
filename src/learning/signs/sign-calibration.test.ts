import { describe, expect, it } from "vitest";
import { multiplyPlainly } from "../../core/matrix-product.ts";
import { createRandom } from "../../core/random.ts";
import { defaultTarget } from "../predictor/predictor-quality.ts";
import { judgeScores } from "../predictor/train-predictor.ts";
import { type LayerRows, RowReservoir } from "../predictor/train-rows.ts";
import { calibrateSigns } from "./sign-calibration.ts";
import { invertSymmetric } from "./sign-inverse.ts";

const dim = 70;
const neurons = 48;
const random = createRandom(21);
const weights = Float32Array.from({ length: neurons * dim }, () => random.normal());
/** Inputs lie about a centre of their own, as normed residuals do. */
const centre = Float32Array.from({ length: dim }, () => 0.8 * random.normal());

function rowsOf(count: number, seed: number) {
  const own = createRandom(seed);
  const reservoir = new RowReservoir({
    dim,
    neurons,
    capacity: count,
    keepsMagnitude: "with magnitudes",
    seed,
  });
  for (let row = 0; row < count; row++) {
    const noise = Float32Array.from({ length: dim }, () => own.normal());
    const x = noise.map((value, i) => value + (centre[i] ?? 0));
    const h = Float32Array.from({ length: neurons }, (_, neuron) => {
      let sum = 0;
      for (let i = 0; i < dim; i++) sum += (weights[neuron * dim + i] ?? 0) * (noise[i] ?? 0);
      return Math.max(0, sum - Math.sqrt(dim));
    });
    reservoir.offer(1, x, h);
  }
  return reservoir.rows();
}

function plainScores({ x, count }: LayerRows): Float32Array {
  return Float32Array.from({ length: count * neurons }, (_, at) => {
    const [row, neuron] = [Math.floor(at / neurons), at % neurons];
    let score = 0;
    for (let i = 0; i < dim; i++) {
      score += (x[row * dim + i] ?? 0) < 0 === (weights[neuron * dim + i] ?? 0) < 0 ? 1 : -1;
    }
    return score;
  });
}

describe("calibrating sign bits", () => {
  const rows = { train: rowsOf(3000, 1), heldOut: rowsOf(1000, 2) };
  const options = { target: defaultTarget, multiply: multiplyPlainly, seed: 5 };

  it("reaches the recall, and its margins mean what was measured", async () => {
    const layer = await calibrateSigns(weights, rows, options);
    expect(layer.quality.recall).toBeGreaterThan(0.94);
    expect(layer.quality.massRecall).toBeGreaterThan(0.98);
    // The gate rows' own bits, no centre and one margin for all: SparseInfer as it is.
    const { quality: plain } = judgeScores(plainScores(rows.heldOut), rows.heldOut, defaultTarget);
    expect(layer.quality.ratio).toBeLessThan(0.93 * plain.ratio);
    // By the op's own definition, over the rows that were measured.
    const { heldOut } = rows;
    let selected = 0;
    for (let row = heldOut.count / 2; row < heldOut.count; row++) {
      const x = heldOut.x.subarray(row * dim, (row + 1) * dim);
      for (let neuron = 0; neuron < neurons; neuron++) {
        let score = 0;
        for (let i = 0; i < dim; i++) {
          const bit = ((layer.signs[neuron * 16 + (i >> 3)] ?? 0) >> (i & 7)) & 1;
          const isNegative = (x[i] ?? 0) - (layer.centre[i] ?? 0) < 0;
          score += isNegative === (bit === 1) ? 1 : -1;
        }
        if (score >= (layer.margins[neuron] ?? 0)) selected++;
      }
    }
    const share = selected / (500 * neurons);
    expect(share).toBeCloseTo(layer.quality.selectedShare, 10);
  });

  it("finds the same twice", async () => {
    const some = { train: rowsOf(300, 3), heldOut: rowsOf(100, 4) };
    const first = await calibrateSigns(weights, some, options);
    expect(await calibrateSigns(weights, some, options)).toEqual(first);
  });
});

describe("the inverse of a symmetric matrix", () => {
  it("times the matrix is the identity", () => {
    const size = 12;
    const factor = Float64Array.from({ length: size * size }, () => random.normal());
    const matrix = Float64Array.from({ length: size * size }, (_, at) => {
      const [i, j] = [Math.floor(at / size), at % size];
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < size; k++) {
        sum += (factor[i * size + k] ?? 0) * (factor[j * size + k] ?? 0);
      }
      return sum;
    });
    const inverse = invertSymmetric(matrix, size);
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        let sum = 0;
        for (let k = 0; k < size; k++) {
          sum += (matrix[i * size + k] ?? 0) * (inverse[k * size + j] ?? 0);
        }
        // Doubles, and a condition number of some hundreds.
        expect(sum).toBeCloseTo(i === j ? 1 : 0, 10);
      }
    }
  });

  it("does not exist for a matrix that is not positive definite", () => {
    expect(() => invertSymmetric(Float64Array.of(1, 2, 2, 1), 2)).toThrow(/positive definite/);
  });
});
