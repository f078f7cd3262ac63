/** docs/PAPER.md's table "Section of the paper → symbol": each file exists and names its symbol. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const project = resolve(import.meta.dirname, "../..");
const rowPattern = /^\|[^|]*\|[^|]*\| `([^`]+)` \| `([^`]+)` \|$/gm;

interface Row {
  readonly symbol: string;
  readonly file: string;
}

function symbolRows(text: string): readonly Row[] {
  return [...text.matchAll(rowPattern)].map(([, symbol = "", file = ""]) => ({ symbol, file }));
}

function isWrong({ symbol, file }: Row): boolean {
  const path = join(project, file);
  if (!existsSync(path)) return true;
  return !new RegExp(`\\b${symbol}\\b`).test(readFileSync(path, "utf8"));
}

describe("the symbols of docs/PAPER.md", () => {
  const rows = symbolRows(readFileSync(join(project, "docs/PAPER.md"), "utf8"));

  it("stand in the files that the table names", () => {
    expect(rows.length).toBeGreaterThanOrEqual(20);
    expect(rows.filter(isWrong)).toEqual([]);
  });

  it("are judged: a planted row without its file or its symbol is found", () => {
    const planted =
      "| 5 | a | `axpy` | `src/nowhere.ts` |\n| 5 | b | `noSuchSymbol` | `src/index.ts` |";
    expect(symbolRows(planted).filter(isWrong)).toHaveLength(2);
  });
});
