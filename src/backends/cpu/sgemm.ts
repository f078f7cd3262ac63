/** The native product of two f32 matrices, on the addon's threads: the same bits for any number of them. */
import { ShapeError } from "../../core/errors.ts";
import type { MatrixProduct, MultiplyMatrices } from "../../core/matrix-product.ts";
import type { Addon, AddonPool } from "../addon.ts";

/** @throws ShapeError when a matrix is shorter than its shape. */
export function nativeProduct(addon: Addon, pool: AddonPool): MultiplyMatrices {
  return (product) => {
    checkShapes(product);
    const { rows, columns, depth, a, b, c, transposed, into } = product;
    if (rows * columns === 0) return Promise.resolve();
    const beta = into === "add" ? 1 : 0;
    const numbers = Float64Array.of(rows, columns, depth, 1, beta);
    const isATransposed = transposed === "a" ? 1 : 0;
    const isBTransposed = transposed === "b" ? 1 : 0;
    return addon.sgemm(pool.handle, a, isATransposed, b, isBTransposed, c, numbers);
  };
}

function checkShapes({ rows, columns, depth, a, b, c }: MatrixProduct): void {
  const needed = [rows * depth, depth * columns, rows * columns];
  const found = [a.length, b.length, c.length];
  if (found.every((length, i) => length >= (needed[i] ?? 0))) return;
  throw new ShapeError("matrix product", `${needed.join(", ")} elements`, found.join(", "));
}
