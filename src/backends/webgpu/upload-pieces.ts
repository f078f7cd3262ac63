/**
 * How the rows of a weight are read for upload: in pieces of bounded size, each by few large reads. Hot neurons are rows
 * here and there of a matrix; neighbours that lie close are read together with what lies between them.
 */
import { type Bytes, KiB, MiB } from "../../core/units.ts";
import type { MatrixPart } from "./kernel.ts";
import { type RowLayout, rowLayout } from "./weight-layout.ts";

/** A piece: large against the cost of a call (some 10 µs), small against memory. */
export const pieceBytes: Bytes = 16 * MiB;

/** A drive of 3 GB/s reads so much in 20 µs, less than the 80 µs that another request waits there. */
const maxGap: Bytes = 64 * KiB;

/** Rows [first, first + count) of the tensor, which become rows from `at` on of the buffer they are read into. */
interface RowSpan {
  readonly first: number;
  readonly count: number;
  readonly at: number;
}

/** Rows that are read, packed and written together. */
export interface RowPiece {
  readonly part: MatrixPart;
  readonly layout: RowLayout;
  readonly spans: readonly RowSpan[];
  /** Of each row of the piece: its row in the buffer. Rising. */
  readonly places: Uint32Array;
  /** Rows that are read, those between the wanted ones too. */
  readonly rowsRead: number;
}

export function* rowPieces(part: MatrixPart): Generator<RowPiece, void, undefined> {
  const layout = rowLayout(part.type, part.columns);
  const largestRow = Math.max(layout.fileBytes, layout.gpuBytes);
  const maxRows = Math.max(1, Math.floor(pieceBytes / largestRow));
  if (part.rows === undefined) {
    for (let done = 0; done < part.rowCount; done += maxRows) {
      const count = Math.min(maxRows, part.rowCount - done);
      const spans = [{ first: part.firstRow + done, count, at: 0 }];
      const places = Uint32Array.from({ length: count }, (_, i) => i);
      yield { part, layout, spans, places, rowsRead: count };
    }
    return;
  }
  const gap = Math.floor(maxGap / layout.fileBytes);
  for (let done = 0; done < part.rows.length; ) {
    const piece = gatheredPiece(part.rows.subarray(done), { maxRows, gap });
    yield { part, layout, ...piece };
    done += piece.places.length;
  }
}

/** As many of the rows as a buffer of `maxRows` holds. */
function gatheredPiece(
  rows: Uint32Array,
  { maxRows, gap }: { readonly maxRows: number; readonly gap: number },
): Pick<RowPiece, "spans" | "places" | "rowsRead"> {
  const spans: RowSpan[] = [];
  const places: number[] = [];
  let rowsRead = 0;
  let end = -1; // of the last span, in rows of the tensor
  for (const row of rows) {
    const isNear = spans.length > 0 && row >= end && row - end <= gap;
    const added = isNear ? row + 1 - end : 1;
    if (rowsRead + added > maxRows) break;
    const last = spans.at(-1);
    if (isNear && last) spans[spans.length - 1] = { ...last, count: last.count + added };
    else spans.push({ first: row, count: 1, at: rowsRead });
    rowsRead += added;
    end = row + 1;
    places.push(rowsRead - 1);
  }
  return { spans, places: Uint32Array.from(places), rowsRead };
}
