/** The matrices of a layer's experts in as few buffers as the adapter can bind: whole experts in each. */
import { weightsOf } from "../../ops/expert-stack.ts";
import type { StackedWeight } from "../../ops/op.ts";
import { gridBytes } from "./grid-table.ts";
import type { BufferSpec, MatrixPart } from "./kernel.ts";
import type { RecordingBuffers } from "./recording-buffers.ts";
import { rowLayout } from "./weight-layout.ts";

/** The matrices of experts [first, end) in one buffer: of those that are computed, by their places in that list. */
export interface ExpertPiece {
  readonly buffer: BufferSpec;
  readonly type: StackedWeight["weight"]["type"];
  readonly columns: number;
  readonly first: number;
  readonly end: number;
  /** Of each stacked weight: row of the buffer at which the matrix of `first` begins, and rows to the next expert's. */
  readonly places: readonly { readonly row: number; readonly stride: number }[];
}

interface ComputedExperts {
  readonly count: number;
  /** Their ids. Absent: from 0 on. */
  readonly subset?: Uint32Array | undefined;
}

/** @param stacked one, or two of one type and width: gate and up. @throws LimitError for an expert larger than a binding. */
export function expertPieces(
  label: string,
  { stacked, count, subset }: ComputedExperts & { readonly stacked: readonly StackedWeight[] },
  buffers: RecordingBuffers,
): readonly ExpertPiece[] {
  const [one] = stacked;
  if (one === undefined) return [];
  const { type, columns } = one.weight;
  const rows = stacked.reduce((sum, part) => sum + part.rows, 0);
  const { gpuBytes } = rowLayout(type, columns);
  const most = buffers.rowsPerPiece(`${label} of one expert`, {
    rowBytes: rows * gpuBytes,
    rows: count,
    behind: gridBytes(type),
  });
  const weights = stacked.flatMap(weightsOf);
  const pieces: ExpertPiece[] = [];
  for (let first = 0; first < count; first += most) {
    const end = Math.min(first + most, count);
    const { parts, places } = partsOf(stacked, { first, end, subset });
    const buffer = buffers.rowsOf(`${label} ${first}`, { weights, parts });
    pieces.push({ buffer, type, columns, first, end, places });
  }
  return pieces;
}

interface Range extends Pick<ExpertPiece, "first" | "end">, Pick<ComputedExperts, "subset"> {}

/** Side by side where they lie so in one tensor; else one stack behind the other. */
function partsOf(
  stacked: readonly StackedWeight[],
  range: Range,
): Pick<ExpertPiece, "places"> & { readonly parts: readonly MatrixPart[] } {
  const fused = fusedWeight(stacked);
  if (fused !== undefined) {
    const places = stacked.map((part) => ({ row: part.first - fused.first, stride: fused.stride }));
    return { parts: stackParts(fused, range), places };
  }
  let row = 0;
  const places = stacked.map(({ rows }) => {
    const place = { row, stride: rows };
    row += (range.end - range.first) * rows;
    return place;
  });
  return { parts: stacked.flatMap((part) => stackParts(part, range)), places };
}

/** Both as one stacked weight, if they are neighbours in each expert. */
function fusedWeight(stacked: readonly StackedWeight[]): StackedWeight | undefined {
  const [lower, upper] = stacked.toSorted((a, b) => a.first - b.first);
  if (lower === undefined || upper === undefined) return undefined;
  const rows = lower.rows + upper.rows;
  const isOne = lower.weight === upper.weight && lower.stride === upper.stride;
  const isWhole = lower.first + lower.rows === upper.first && lower.stride === rows;
  return isOne && isWhole ? { ...lower, rows } : undefined;
}

/** One part, if nothing lies between the experts. */
function stackParts(stacked: StackedWeight, { first, end, subset }: Range): readonly MatrixPart[] {
  const { weight, first: start, stride, rows, apart } = stacked;
  const { name, type, columns } = weight;
  const part = { kind: "rows", name, type, columns } as const;
  if (subset === undefined && apart === undefined && stride === rows) {
    const { bytes } = weight;
    return [{ ...part, bytes, firstRow: start + first * rows, rowCount: (end - first) * rows }];
  }
  const rowsOf = (id: number): Pick<MatrixPart, "bytes" | "firstRow"> => {
    const own = apart?.[id];
    return own === undefined
      ? { bytes: weight.bytes, firstRow: start + id * stride }
      : { bytes: own.bytes, firstRow: 0 };
  };
  return Array.from({ length: end - first }, (_, i) => {
    const place = first + i;
    const id = subset?.[place] ?? place;
    return {
      ...part,
      name: apart?.[id]?.name ?? name,
      ...rowsOf(id),
      rowCount: rows,
      ...(subset && { expert: { subset, place, rowsOf } }),
    };
  });
}
