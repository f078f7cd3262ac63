/** Matrix products: which kernels an op becomes, by the rows that a step may have. */
import type { Op, OpOf, Weight } from "../../ops/op.ts";
import type { Condition } from "./kernel.ts";
import { output, type ProductOutput } from "./kernels/epilogue.ts";
import { gemm, gemmParts } from "./kernels/gemm.ts";
import { gemv, type Product } from "./kernels/gemv.ts";
import { joinParts, partialBytes } from "./kernels/join-parts.ts";
import type { BatchRows } from "./kernels/row-blocks.ts";
import { extentOf, type Lowering } from "./lowering.ts";

/** Rows of a step that are few: each weight is read once for all of them, in forms for so many rows. */
export const fewRows: readonly { readonly rows: BatchRows; readonly min: number }[] = [
  { rows: 1, min: 1 },
  { rows: 4, min: 2 },
  { rows: 8, min: 5 },
  { rows: 16, min: 9 },
];

/** From here on, tiles: a weight is read once for 32 rows. */
export const manyRows = 17;

/** Rows up to which one or two tiles of rows do not fill a card unless the sums are cut into parts. */
const fewTiles = 64;

/** One kernel for a single row, some for few, one for many; a step runs one of them. */
export function emitProduct(product: Product, maxRows: number, lowering: Lowering): void {
  const { of } = product;
  for (const { rows, min } of fewRows) {
    if (min > maxRows) return;
    lowering.emit(gemv(product, { rows, when: { of, min, max: Math.min(rows, maxRows) } }));
  }
  if (maxRows < manyRows) return;
  const parts = gemmParts(product);
  if (parts === 1) {
    lowering.emit(gemm(product, { of, min: manyRows, max: maxRows }));
    return;
  }
  emitParts(product, { of, min: manyRows, max: Math.min(fewTiles, maxRows) }, parts, lowering);
  if (maxRows > fewTiles) {
    lowering.emit(gemm(product, { of, min: fewTiles + 1, max: maxRows }));
  }
}

function emitParts(product: Product, when: Condition, parts: number, lowering: Lowering): void {
  const { label, piece, of, epilogue } = product;
  const { buffers: shapes } = lowering;
  const dim = piece.rows;
  const buffer = shapes.empty("product parts", partialBytes(when.max, { parts, dim }));
  const sums = { buffer, parts, dim, firstRow: piece.firstRow };
  lowering.emit(gemm(product, when, sums), joinParts(label, { sums, epilogue, shapes, of, when }));
}

/** out (+)= W x (+ bias) for one op, or for several over the same x whose weights stack: q, k and v in one pass. */
export function lowerMatmuls(ops: readonly OpOf<"matmul">[], lowering: Lowering): void {
  const [first] = ops;
  if (first === undefined) return;
  const weights = ops.map(({ weight }) => weight);
  const label = weights.map(({ name }) => name).join("+");
  const outputs = stackedOutputs(ops, lowering);
  const bias = ops.some((op) => op.bias !== undefined)
    ? lowering.buffers.vector(
        `${label} bias`,
        ops.map(({ bias: vector, out }) => ({ weight: vector, length: out.width })),
      )
    : undefined;
  for (const piece of lowering.buffers.matrix({ label, weights })) {
    const product: Product = {
      label,
      x: lowering.slot(first.x),
      piece,
      step: lowering.step,
      shapes: lowering.buffers,
      of: extentOf(first.x.rows),
      epilogue: { outputs, into: first.into, ...(bias === undefined ? {} : { bias }) },
    };
    emitProduct(product, lowering.maxRows(first.x.rows), lowering);
  }
}

function stackedOutputs(
  ops: readonly OpOf<"matmul">[],
  lowering: Lowering,
): readonly ProductOutput[] {
  let first = 0;
  return ops.map(({ out }) => {
    const range = { first, width: out.width };
    first += out.width;
    return output(lowering.slot(out), range);
  });
}

/** The ops from `at` on that can be one product; none if the first is another op or does not fit one binding. */
export function stackable(
  ops: readonly Op[],
  at: number,
  lowering: Lowering,
): readonly OpOf<"matmul">[] {
  const stack: OpOf<"matmul">[] = [];
  const weights: Weight[] = [];
  for (const op of ops.slice(at)) {
    const [first] = stack;
    if (op.kind !== "matmul" || !lowering.buffers.fitsOneBinding([...weights, op.weight])) break;
    if (first !== undefined && !canStack(first, op, stack)) break;
    stack.push(op);
    weights.push(op.weight);
  }
  return stack;
}

function canStack(
  first: OpOf<"matmul">,
  op: OpOf<"matmul">,
  stack: readonly OpOf<"matmul">[],
): boolean {
  const isSameInput = op.x === first.x && op.into === first.into;
  const isSameFormat = op.weight.type === first.weight.type;
  return isSameInput && isSameFormat && stack.every(({ out }) => out !== op.out && op.x !== out);
}
