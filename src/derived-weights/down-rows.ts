/** Down projections with a row for each neuron: from the sidecar, else made at load, or written to a sidecar. */

import { transposedPieces } from "../backends/plain-matrices.ts";
import { counted } from "../core/counted.ts";
import { type RowType, weightFormat } from "../core/dtype.ts";
import type { Model } from "../model/model.ts";
import { blockOf } from "../model/weights.ts";
import type { Weight } from "../ops/op.ts";
import type { MatrixToWrite, Sidecar } from "../sparsity/sidecar/sidecar.ts";
import { type TransposeWork, transposeAll } from "./transpose.ts";

export interface DownRows {
  /** By layer; a layer whose file has rows already is absent. */
  readonly weights: ReadonlyMap<number, Weight>;
  /** What was made at load. */
  readonly details: readonly string[];
}

/** Rows for `layers`: the sidecar's where it has them, else made now. @throws LimitError as transposeAll. */
export async function downRowsOf(
  model: Model,
  layers: readonly number[],
  from: TransposeWork & { readonly sidecar: Sidecar | undefined },
): Promise<DownRows> {
  const { sidecar } = from;
  const inColumns = layers.filter((layer) => columnsOf(model, layer) !== undefined);
  const kept = inColumns.flatMap((layer) => {
    const rows = sidecar?.downRows[layer];
    return rows === undefined ? [] : [[layer, rows] as const];
  });
  const missing = inColumns.filter((layer) => sidecar?.downRows[layer] === undefined);
  const matrices = missing.flatMap((layer) => columnsOf(model, layer) ?? []);
  const { weights, details } = await transposeAll(matrices, from, {
    what: "transposed down projections",
    made: `the down projections of ${counted(missing.length, "layer")} were transposed at load`,
  });
  const made = weights.flatMap((weight, i) => {
    const layer = missing[i];
    return layer === undefined ? [] : [[layer, weight] as const];
  });
  const rows = new Map([...kept, ...made]);
  return { weights: rows, details: [...details, ...roundedAgain(model, rows)] };
}

/** A float is copied as it is; of quantised weights, blocks across the rows are other blocks than along them. */
function roundedAgain(model: Model, rows: ReadonlyMap<number, Weight>): readonly string[] {
  const changed = [...rows].flatMap(([layer, weight]) => {
    const from = columnsOf(model, layer);
    return from && weightFormat(from.type).codes !== "float" ? [{ from, to: weight }] : [];
  });
  if (changed.length === 0) return [];
  const typesOf = (weights: readonly Weight[]): string =>
    [...new Set(weights.map(({ type }) => type))].join(" and ");
  const from = typesOf(changed.map((change) => change.from));
  const to = typesOf(changed.map((change) => change.to));
  return [
    `down projections of ${from} were rounded once more, to ${to}, when they were transposed: logits differ slightly from sparsity dense`,
  ];
}

/** Those that `sidecar` lacks, made piece by piece while they are written. */
export function downRowsToWrite(
  model: Model,
  sidecar: Sidecar | undefined,
  rowType: (weight: Weight) => RowType,
): ReadonlyMap<number, MatrixToWrite> {
  const rows = new Map<number, MatrixToWrite>();
  for (const layer of model.layers.keys()) {
    const weight = columnsOf(model, layer);
    if (weight === undefined || sidecar?.downRows[layer] !== undefined) continue;
    const type = rowType(weight);
    const shape = { rows: weight.columns, columns: weight.rows };
    rows.set(layer, { type, ...shape, data: () => transposedPieces(weight, type) });
  }
  return rows;
}

/** The down projection of a layer whose file has a column for each neuron. */
export function columnsOf(model: Model, layer: number): Weight | undefined {
  const weights = model.layers[layer];
  const down = weights && blockOf(weights)?.down;
  return down?.layout === "columns" ? down.weight : undefined;
}
