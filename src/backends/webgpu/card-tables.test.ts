/** The numbers of docs/gpu.md, "How kernels fill a card": made from recordings, and compared with the page. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { blockProgram, callsOf } from "./fixture.ts";
import { createRunShape } from "./run-shape.ts";
import { rowLayout } from "./weight-layout.ts";
import { bytesRead } from "./work.ts";

const block = { dim: 4096, neurons: 11_008, method: "mlp", type: "Q4_0" } as const;
const shares = [0.03, 0.1, 0.5];
const page = readFileSync(new URL("../../../docs/gpu.md", import.meta.url), "utf8");

function row(...cells: readonly (string | number)[]): string {
  return `| ${cells.join(" | ")} |`;
}

function megabytes(bytes: number): string {
  return bytes === 0 ? "–" : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** One line for each dispatch of a decode step. */
function decodeTable(): string[] {
  const shape = { ...createRunShape(), rows: 1, outputs: 1 };
  return callsOf(blockProgram(block), 1).map(({ call, groups }) =>
    row(call.label, groups, ...shares.map((share) => megabytes(bytesRead(call, shape, share)))),
  );
}

/** Share of the neurons that are active in one row of `rows` at least, if rows are independent. */
function union(share: number, rows: number): number {
  return 1 - (1 - share) ** rows;
}

/** Bytes of gate, up and down: row by row, and as the calls of such a step read them. */
function promptBytes(rows: number, share: number): { byRow: number; tiled: number } {
  const shape = { ...createRunShape(), rows, outputs: rows };
  const listed = callsOf(blockProgram({ ...block, maxRows: 128 }), rows).filter(
    ({ call }) => call.work?.isListed,
  );
  const tile = rows > 16 ? 32 : rows;
  const tiled = listed.reduce(
    (sum, { call }) => sum + bytesRead(call, shape, union(share, tile)),
    0,
  );
  const whole = 3 * block.neurons * rowLayout(block.type, block.dim).gpuBytes;
  return { byRow: rows * share * whole, tiled };
}

function promptTable(): string[] {
  return [1, 4, 16, 32, 128].map((rows) =>
    row(
      rows,
      ...shares.map((share) => {
        const { byRow, tiled } = promptBytes(rows, share);
        return `${megabytes(byRow)} → ${megabytes(tiled)}`;
      }),
    ),
  );
}

describe("docs/gpu.md", () => {
  it("has the dispatches of a sparse block with their groups and bytes", () => {
    const table = decodeTable();
    expect(table.length).toBeGreaterThanOrEqual(7);
    expect(page).toContain(table.join("\n"));
  });

  it("has what prompts read of it", () => {
    expect(page).toContain(promptTable().join("\n"));
  });
});

describe("a sparse block", () => {
  it.each([2, 4, 16, 32, 64, 128])(
    "reads no more for %i rows than row by row, nor than tiles of all neurons",
    (rows) => {
      for (const share of shares) {
        const { byRow, tiled } = promptBytes(rows, share);
        const dense = Math.ceil(rows / 32) * promptBytes(1, 1).tiled;
        expect(tiled).toBeGreaterThan(0);
        expect(tiled).toBeLessThanOrEqual(Math.min(byRow, dense) * (1 + 1e-9));
      }
    },
  );
});
