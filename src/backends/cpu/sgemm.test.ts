import { describe, expect, it } from "vitest";
import { type MatrixProduct, multiplyPlainly } from "../../core/matrix-product.ts";
import { createRandom } from "../../core/random.ts";
import { loadAddon } from "../addon.ts";
import { createCpuBackend } from "./cpu-backend.ts";

const loaded = loadAddon();
const reason = loaded.kind === "missing" ? ` (skipped: ${loaded.reason})` : "";

type Shape = Pick<MatrixProduct, "rows" | "columns" | "depth" | "transposed" | "into">;

function random(seed: number, shape: Shape): MatrixProduct {
  const { uniform } = createRandom(seed);
  const fill = (count: number) => Float32Array.from({ length: count }, () => 2 * uniform() - 1);
  const { rows, columns, depth } = shape;
  return {
    ...shape,
    a: fill(rows * depth),
    b: fill(depth * columns),
    c: fill(rows * columns),
  };
}

const shapes: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [3, 5, 7],
  [64, 32, 512],
  [193, 33, 65],
  [200, 100, 600],
];

describe.skipIf(loaded.kind === "missing")(`the native matrix product${reason}`, () => {
  for (const [rows, columns, depth] of shapes) {
    for (const transposed of ["none", "a", "b"] as const) {
      for (const into of ["assign", "add"] as const) {
        it(`is the plain one: ${rows} × ${columns} × ${depth}, transposed ${transposed}, ${into}`, async () => {
          using backend = createCpuBackend({ threads: 2 });
          const product = random(rows + depth, { rows, columns, depth, transposed, into });
          const expected = product.c.slice();
          await multiplyPlainly({ ...product, c: expected });
          await backend.multiply(product);
          // Operands of at most 1: each of depth + 1 roundings errs by at most (depth + 1)·2^-24 of the sum.
          const tolerance = (depth + 1) * (depth + 1) * 2 ** -24;
          product.c.forEach((value, i) => {
            expect(Math.abs(value - (expected[i] ?? 0))).toBeLessThanOrEqual(tolerance);
          });
        });
      }
    }
  }

  it("gives the same bits for any number of threads", async () => {
    const products = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        using backend = createCpuBackend({ threads });
        const product = random(9, { rows: 300, columns: 70, depth: 700, transposed: "a" });
        await backend.multiply(product);
        return product.c;
      }),
    );
    expect(products[1]).toEqual(products[0]);
    expect(products[2]).toEqual(products[0]);
  });

  it("refuses matrices shorter than their shape", () => {
    using backend = createCpuBackend({ threads: 1 });
    const product = { ...random(1, { rows: 4, columns: 4, depth: 4 }), a: new Float32Array(15) };
    expect(() => backend.multiply(product)).toThrow(/matrix product: expected 16/);
  });
});
