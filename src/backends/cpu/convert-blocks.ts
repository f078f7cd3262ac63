/** Blocks of one weight type into blocks of another, on the addon's threads: the bytes of quant/, whatever their number. */
import { weightFormat } from "../../core/dtype.ts";
import { quantCodec } from "../../quant/codecs.ts";
import { type ConvertBlocks, limitOf } from "../../quant/convert-blocks.ts";
import type { Addon, AddonPool } from "../addon.ts";

export function nativeConversion(addon: Addon, pool: AddonPool): ConvertBlocks {
  return async ({ from, to, source, target, elements, importance }) => {
    const numbers = Float64Array.of(
      weightFormat(from).id,
      weightFormat(to).id,
      elements,
      importance?.columns.length ?? 0,
      importance?.first ?? 0,
      limitOf(to),
    );
    const { handle } = pool;
    const refused = await addon.quantise(handle, source, target, importance?.columns, numbers);
    if (refused === elements) return undefined;
    const { blockElements, blockBytes, dequantise } = quantCodec(from);
    const values = new Float32Array(blockElements);
    dequantise(source, Math.floor(refused / blockElements) * blockBytes, values, 0, 1);
    return values[refused % blockElements];
  };
}
