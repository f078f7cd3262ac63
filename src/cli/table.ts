/** Rows of text as aligned columns, two spaces between; the last column is not padded. */
import { visibleText } from "../core/visible-text.ts";

/** Characters of a cell: a model's notices stand in one. */
const maxCell = 500;

/** Cells may come from a file: each becomes one visible line. */
export function table(texts: readonly (readonly string[])[]): string {
  const rows = texts.map((row) => row.map((cell) => visibleText(cell, maxCell)));
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => (row[i] ?? "").length)),
  );
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join("  ");
  return rows.map(line).join("\n");
}
