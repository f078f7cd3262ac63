/**
 * A unit of weights times several rows of the step at once: what gemv.ts and sparse-product.ts share. Rows come in
 * blocks of four, whose sums are a vec4; weights are decoded before their sums, so that a quad of x is read once for all.
 */
import { loopEnd, repeat, type ShapeStore } from "../kernel.ts";

/** Rows of the step that one read of a weight serves: blocks of four but for a single row. */
export type BatchRows = 1 | 4 | 8 | 16;

export interface UnitSums {
  readonly shapes: ShapeStore;
  readonly batch: BatchRows;
  /** vec4 of a unit. */
  readonly quads: number;
  /** Rows of W that a thread works on at once. */
  readonly weights: number;
  /** WGSL of where the k-th of them begins. */
  readonly weightAt: (k: string) => string;
}

/** Blocks that arrays have room for. With loops that end at the uniform, forms of several rows share a source. */
export function blocksInSource({ shapes, batch }: Pick<UnitSums, "shapes" | "batch">): number {
  if (batch === 1) return 1;
  return shapes.loops === "uniform" ? 4 : batch / 4;
}

/** WGSL of the number of blocks; shape.blocks. */
export function blockCount({ shapes, batch }: Pick<UnitSums, "shapes" | "batch">): string {
  return loopEnd(shapes, "blocks", Math.max(1, batch / 4));
}

/** Where the rows of x from m0 on begin that the workgroup serves: behind the last of `count`, that one again. */
export function xRows(sums: UnitSums): string {
  if (sums.batch === 1) return "let x_row = m0 * shape.x_stride;";
  return rowsOfX(sums, (m) => `min(m0 + ${m}, count - 1u) * shape.x_stride`);
}

/** Declares x_rows: `row` is WGSL of where the m-th of several begins. */
export function rowsOfX(sums: UnitSums, row: (m: string) => string): string {
  const ofBlock = (b: string): string =>
    [0, 1, 2, 3]
      .map((m) => `4u * ${b} + ${m}u`)
      .map((m) => `x_rows[${m}] = ${row(m)};`)
      .join(" ");
  return `var x_rows: array<u32, ${4 * blocksInSource(sums)}>;
  ${eachBlock(sums, ofBlock)}`;
}

/** Adds unit u of every weight to `sums`: f32 [weights], or vec4 [weights, blocks]. */
export function addUnit(sums: UnitSums): string {
  return sums.batch === 1 ? addUnitOfOne(sums) : addUnitOfBlocks(sums);
}

function addUnitOfOne(sums: UnitSums): string {
  return eachWeight(
    sums,
    (k) => `var d = decode(${sums.weightAt(k)}, u);
      ${eachQuad(sums, (q) => `sums[${k}] += dot(d[${q}], x[x_row + quad_at(u, ${q})]);`)}`,
  );
}

function addUnitOfBlocks(sums: UnitSums): string {
  const blocks = blockCount(sums);
  const addBlock = (b: string, q: string): string => `let x0 = x[x_rows[4u * ${b}] + at];
        let x1 = x[x_rows[4u * ${b} + 1u] + at];
        let x2 = x[x_rows[4u * ${b} + 2u] + at];
        let x3 = x[x_rows[4u * ${b} + 3u] + at];
        ${eachWeight(sums, (k) => `let v = d[${k}][${q}]; sums[${k} * ${blocks} + ${b}] += vec4<f32>(dot(v, x0), dot(v, x1), dot(v, x2), dot(v, x3));`)}`;
  return `var d: array<array<vec4<f32>, ${sums.quads}>, ${sums.weights}>;
    ${eachWeight(sums, (k) => `d[${k}] = decode(${sums.weightAt(k)}, u);`)}
    ${eachQuad(
      sums,
      (q) => `let at = quad_at(u, ${q});
      ${eachBlock(sums, (b) => addBlock(b, q))}`,
    )}`;
}

function eachWeight({ shapes, weights }: UnitSums, body: (k: string) => string): string {
  return repeat(shapes, { index: "k", field: "weights", count: weights }, body);
}

function eachQuad({ shapes, quads }: UnitSums, body: (q: string) => string): string {
  return repeat(shapes, { index: "q", field: "quads", count: quads }, body);
}

function eachBlock({ shapes, batch }: UnitSums, body: (b: string) => string): string {
  return repeat(shapes, { index: "b", field: "blocks", count: batch / 4 }, body);
}
