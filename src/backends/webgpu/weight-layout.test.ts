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
