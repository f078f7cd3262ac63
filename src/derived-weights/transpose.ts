/**
 * Transposes matrices when a model is loaded, and says so. The caller chooses who does the work: the threads of a
 * backend, or nobody where only shapes are wanted.
 */
import type { MatrixWork } from "../backends/backend.ts";
import { type RowType, rowBytes, type WeightType } from "../core/dtype.ts";
import { requireFree } from "../core/memory.ts";
import { type Bytes, formatBytes } from "../core/units.ts";
import type { Weight } from "../ops/op.ts";

export type Transpose = MatrixWork["transpose"];

/** W^T without its bytes: for callers that count them before anything is transposed. */
export function transposedShape({ name, rows, columns }: Weight, type: WeightType): Weight {
  return {
    name: `${name} transposed`,
    type,
    rows: columns,
    columns: rows,
    bytes: { kind: "memory", data: new Uint8Array(0) },
  };
}

export interface TransposeWork {
  readonly transpose: Transpose;
  readonly rowType: (weight: Weight) => RowType;
  readonly signal?: AbortSignal | undefined;
}

export interface Transposed {
  /** In the order of the matrices. */
  readonly weights: readonly Weight[];
  /** What was made, one sentence; empty where nothing was. */
  readonly details: readonly string[];
}

/**
 * Transposes `matrices` one after the other. `what` names them in the error, `made` begins the detail.
 * @throws LimitError when the results cannot fit into memory.
 */
export async function transposeAll(
  matrices: readonly Weight[],
  { transpose, rowType, signal }: TransposeWork,
  { what, made }: { readonly what: string; readonly made: string },
): Promise<Transposed> {
  if (matrices.length === 0) return { weights: [], details: [] };
  const bytes = matrices.reduce((sum, weight) => sum + transposedBytes(weight, rowType(weight)), 0);
  requireFree(bytes, what, "run hearth prepare once, or use device cpu with sparsity dense");
  const startedAt = performance.now();
  const weights: Weight[] = [];
  for (const weight of matrices) {
    signal?.throwIfAborted();
    weights.push(await transpose(weight, rowType(weight)));
  }
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const types = [...new Set(matrices.map(rowType))].join(" and ");
  const detail = `${made} (${formatBytes(bytes)} of ${types}, ${seconds} s); hearth prepare keeps them in a sidecar that is mapped instead`;
  return { weights, details: [detail] };
}

function transposedBytes(weight: Weight, type: RowType): Bytes {
  return weight.columns * rowBytes(type, weight.rows);
}
