/**
 * Like sparse-product.ts for many rows of the step: gemm.ts over the list that a tile of 32 rows shares. A weight is read
 * and decoded once for all of them. Workgroups behind the end of the list return at once.
 */
import { type Condition, fixed, type KernelCall, kernelCall, one } from "../kernel.ts";
import { type ActiveList, activeNeuron, activeRange, activeRows } from "./active-list.ts";
import { weightCode } from "./decode.ts";
import { tileBody, tileQuads, tileRows, tileWeights } from "./gemm.ts";
import { productWork } from "./gemv.ts";
import { maskedValue, type SparseProduct, sparseBindings, sparseShape } from "./sparse-product.ts";

export function sparseTiles(
  product: SparseProduct,
  active: ActiveList,
  when: Condition,
): KernelCall {
  const { piece, shapes, isPaired } = product;
  const code = weightCode(piece.type, piece.columns, shapes.features);
  const perTile = isPaired ? tileWeights / 2 : tileWeights;
  const shape = { ...sparseShape(product, active), tile_quads: tileQuads };
  const range = activeRange(active, { piece, neurons: active.neurons });
  const half = isPaired ? ` + select(0u, shape.neurons_here, j >= ${perTile}u)` : "";
  const neuron = (i: string): string => activeNeuron("wg.y", `range.x + ${i}`);
  const body = tileBody({
    shapes,
    code,
    perTile,
    setup: `let group_number = wg.x;
  let range = ${range.code("wg.y")};
  let results = range.y - range.x;
  if (group_number * ${perTile}u >= results) { return; }
  let count = m0 + ${activeRows("wg.y")};
  let begin = 0u;
  let end = shape.units;`,
    weightRow: `(${neuron(`min(r0 + j % ${perTile}u, results - 1u)`)} - shape.first_row${half}) * shape.row_vec`,
    store: `hidden_of(${neuron("n")}, m, a, ${isPaired ? "tile_w[cell][j / 16u + 2u]" : "0.0"});`,
  });
  return kernelCall({
    label: product.label,
    shape,
    features: shapes.features,
    bindings: sparseBindings(product, active, shape),
    groups: [fixed(Math.ceil(piece.rows / perTile)), { kind: active.of, per: tileRows }, one],
    when,
    work: { ...productWork(product, tileRows), isListed: true },
    body: `${code.functions}${product.functions}${range.functions}
fn hidden_of(n: u32, m: u32, a: f32, b: f32) { hidden[m * shape.h_stride + n] = ${maskedValue(product.value)}; }
${body}`,
  });
}
