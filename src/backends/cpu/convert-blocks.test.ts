import { afterAll, describe, expect, it } from "vitest";
import { tensorType, type WeightType, weightTypes } from "../../core/dtype.ts";
import { createRandom } from "../../core/random.ts";
import { quantCodec } from "../../quant/codecs.ts";
import { type BlocksToConvert, convertPlainly } from "../../quant/convert-blocks.ts";
import { loadAddon } from "../addon.ts";
import { createCpuBackend } from "./cpu-backend.ts";

const native = loadAddon();
const sets = native.kind === "loaded" ? native.addon.machine().kernels.split(" ") : [];
const backends = sets.map((isa) => ({ isa, backend: createCpuBackend({ isa, threads: 2 }) }));
afterAll(() => {
  for (const { backend } of backends) backend[Symbol.dispose]();
});

const elements = 256 * 19;
const columns = 768;

/** Blocks of every kind: scales over five decades, zeros of both signs, one sign alone, outliers, halves of a step. */
function manyValues(): Float32Array {
  const random = createRandom(5);
  const values = new Float32Array(elements);
  for (let i = 0; i < elements; i++) {
    const block = Math.floor(i / 32);
    const kind = block % 9;
    const scale = 10 ** ((Math.floor(block / 9) % 8) - 6);
    if (kind === 0) values[i] = i % 2 === 0 ? 0 : -0;
    else if (kind === 1) values[i] = scale * random.uniform();
    else if (kind === 2) values[i] = -scale * random.uniform();
    else if (kind === 3) values[i] = scale * (random.integer(17) - 8) * 0.5;
    else if (kind === 4) values[i] = i % 32 === 7 ? 40 * scale : scale * random.normal();
    else values[i] = scale * random.normal();
  }
  return values;
}

async function converted(
  convert: (blocks: BlocksToConvert) => Promise<number | undefined>,
  blocks: Omit<BlocksToConvert, "target">,
): Promise<Uint8Array> {
  const { blockElements, blockBytes } = tensorType(blocks.to);
  const target = new Uint8Array((blocks.elements / blockElements) * blockBytes);
  expect(await convert({ ...blocks, target })).toBe(undefined);
  return target;
}

function sourceOf(type: WeightType): Uint8Array {
  const { quantise, blockElements, blockBytes } = quantCodec(type);
  const bytes = new Uint8Array((elements / blockElements) * blockBytes);
  quantise(manyValues(), 0, bytes, 0, elements / blockElements);
  return bytes;
}

describe.skipIf(native.kind === "missing")("the addon's quantisers", () => {
  for (const to of weightTypes) {
    it(`write the bytes of the reference: ${to}`, async () => {
      const random = createRandom(9);
      const matters = Float32Array.from({ length: columns }, () => 0.01 + random.uniform() ** 4);
      for (const importance of [undefined, { columns: matters, first: 256 }]) {
        const blocks = { from: "F32", to, source: sourceOf("F32"), elements, importance } as const;
        const expected = await converted(convertPlainly, blocks);
        for (const { isa, backend } of backends) {
          const found = await converted(backend.convert, blocks);
          const different = found.findIndex((byte, i) => byte !== expected[i]);
          expect({ isa, different }).toEqual({ isa, different: -1 });
        }
      }
    });
  }

  it("read what is quantised already as the reference does, to a rounding of float32", async () => {
    for (const from of ["F16", "BF16", "Q8_0", "Q4_K", "IQ4_XS"] as const) {
      const blocks = { from, to: "F32", source: sourceOf(from), elements } as const;
      const expected = new Float32Array((await converted(convertPlainly, blocks)).buffer);
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const { backend } of backends) {
        const found = new Float32Array((await converted(backend.convert, blocks)).buffer);
        // A scale, a product and a difference are rounded: three halves of an ulp of the largest part.
        const worst = found.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i]!)), 0);
        expect(worst).toBeLessThanOrEqual(3 * largest * 2 ** -24);
      }
    }
  });

  it("name the first value that the target cannot hold", async () => {
    const values = new Float32Array(elements);
    values[4800] = Number.NaN;
    values[4000] = 65520;
    values[300] = -65519.9;
    const source = new Uint8Array(values.buffer);
    for (const convert of [convertPlainly, ...backends.map(({ backend }) => backend.convert)]) {
      const target = new Uint8Array(4 * elements);
      const blocks = { from: "F32", source, target, elements } as const;
      expect(await convert({ ...blocks, to: "F16" })).toBe(65520);
      expect(await convert({ ...blocks, to: "Q8_0" })).toBe(Number.NaN);
    }
  });
});
