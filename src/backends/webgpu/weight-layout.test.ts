/** The GPU's row layout: every byte of a block arrives, in its plane, aligned. */
import { describe, expect, it } from "vitest";
import { tensorType, weightTypes } from "../../core/dtype.ts";
import { createRandom } from "../../core/random.ts";
import { packRows, rowLayout } from "./weight-layout.ts";

describe.each(weightTypes)("a row of %s", (type) => {
  const { blockElements, blockBytes } = tensorType(type);
  const blocks = 3;
  const layout = rowLayout(type, blocks * blockElements);

  it("costs its file bytes and less than 16 more", () => {
    expect(layout.fileBytes).toBe(blocks * blockBytes);
    expect(layout.gpuBytes % 16).toBe(0);
    expect(layout.gpuBytes - layout.fileBytes).toBeGreaterThanOrEqual(0);
    expect(layout.gpuBytes - layout.fileBytes).toBeLessThan(18);
  });

  it("keeps every byte exactly once, and zeros in the padding", () => {
    const random = createRandom(5);
    const source = Uint8Array.from({ length: 2 * layout.fileBytes }, () => 1 + random.integer(255));
    const target = new Uint8Array(2 * layout.gpuBytes).fill(255);
    packRows(layout, { source, target, rows: 2 });
    for (let row = 0; row < 2; row++) {
      const packed = target.slice(row * layout.gpuBytes, (row + 1) * layout.gpuBytes);
      const sorted = packed.sort().slice(layout.gpuBytes - layout.fileBytes);
      const wanted = source.slice(row * layout.fileBytes, (row + 1) * layout.fileBytes).sort();
      expect(sorted).toEqual(wanted);
    }
  });
});

it("Q4_0 codes stand before the scales", () => {
  const layout = rowLayout("Q4_0", 64);
  const source = Uint8Array.from({ length: 36 }, (_, i) => i);
  const target = new Uint8Array(layout.gpuBytes);
  packRows(layout, { source, target, rows: 1 });
  expect([...target.subarray(0, 16)]).toEqual([...source.subarray(2, 18)]);
  expect([...target.subarray(16, 32)]).toEqual([...source.subarray(20, 36)]);
  expect([...target.subarray(32, 36)]).toEqual([0, 1, 18, 19]);
});

it("Q4_0 codes of whole groups are regrouped: unit i has quad i of each of its eight blocks", () => {
  const layout = rowLayout("Q4_0", 512);
  // Code of column c: its quad within the block in group 0, the number of its block in group 1.
  const codeAt = (block: number, c: number): number => (block < 8 ? c >> 2 : block - 8);
  const source = new Uint8Array(16 * 18);
  for (let block = 0; block < 16; block++) {
    source[block * 18] = 100 + block;
    for (let c = 0; c < 16; c++) {
      source[block * 18 + 2 + c] = codeAt(block, c) | (codeAt(block, c + 16) << 4);
    }
  }
  const target = new Uint8Array(layout.gpuBytes);
  packRows(layout, { source, target, rows: 1 });
  for (let unit = 0; unit < 8; unit++) {
    const here = [...target.subarray(unit * 16, unit * 16 + 16)];
    expect(here).toEqual(here.map(() => unit | (unit << 4)));
    const second = [...target.subarray(128 + unit * 16, 128 + unit * 16 + 16)];
    expect(second).toEqual(second.map((_, i) => (i >> 2) | (((i >> 2) + 4) << 4)));
  }
  const scales = [...target.subarray(256, 288)].filter((_, i) => i % 2 === 0);
  expect(scales).toEqual([...Array(16).keys()].map((block) => 100 + block));
});

it("Q8_0 codes of whole groups are regrouped: word j of unit i is quad i of block j", () => {
  const layout = rowLayout("Q8_0", 128);
  const source = new Uint8Array(4 * 34);
  for (let block = 0; block < 4; block++) {
    for (let c = 0; c < 32; c++) source[block * 34 + 2 + c] = block * 8 + (c >> 2);
  }
  const target = new Uint8Array(layout.gpuBytes);
  packRows(layout, { source, target, rows: 1 });
  const codes = [...target.subarray(0, 128)];
  expect(codes).toEqual(codes.map((_, i) => ((i >> 2) & 3) * 8 + (i >> 4)));
});
