/** Matrix products: which kernels an op becomes, by the rows that a step may have. */
import type { Op, OpOf, Weight } from "../../ops/op.ts";
import { output, type ProductOutput } from "./kernels/epilogue.ts";
import { gemm } from "./kernels/gemm.ts";
import { gemv, type Product } from "./kernels/gemv.ts";
import { extentOf, type Lowering } from "./lowering.ts";

/** Rows up to which a weight is read once for every four rows rather than passed through tiles. */
const fewRows = 16;

/** One kernel for a single row, one for few, one for many; a step runs one of them. */
export function emitProduct(product: Product, maxRows: number, lowering: Lowering): void {
  const { of } = product;
  lowering.emit(gemv(product, { rows: 1, when: { of, min: 1, max: 1 } }));
  if (maxRows > 1) {
    const max = Math.min(fewRows, maxRows);
    lowering.emit(gemv(product, { rows: 4, when: { of, min: 2, max } }));
  }
  if (maxRows > fewRows) {
    lowering.emit(gemm(product, { of, min: fewRows + 1, max: maxRows }));
  }
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
