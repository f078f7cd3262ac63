/**
 * Looks through a router's values when its file is opened: they are few, and one that is no number makes every choice of
 * experts meaningless. Other weights are not read here.
 */
import { readPieces } from "../io/tensor-bytes.ts";
import type { Weight } from "../ops/op.ts";
import { quantCodec } from "../quant/codecs.ts";
import type { Linear, WeightFinder } from "./weights.ts";

/** Values read at a time: whole blocks of every type, and little beside a model. */
const pieceValues = 2 ** 18;

/** @throws FileFormatError naming the tensor that has a NaN or an infinity, and the number of the value. */
export function refuseNonFinite(finder: WeightFinder, { weight, bias }: Linear): void {
  for (const each of bias === undefined ? [weight] : [weight, bias]) refuseIn(finder, each);
}

function refuseIn(finder: WeightFinder, { name, type, bytes }: Weight): void {
  if (bytes.kind !== "file") return;
  const codec = quantCodec(type);
  const values = new Float32Array(pieceValues);
  const pieceBytes = (pieceValues / codec.blockElements) * codec.blockBytes;
  let before = 0;
  for (const piece of readPieces(bytes, pieceBytes)) {
    const blocks = piece.length / codec.blockBytes;
    const count = blocks * codec.blockElements;
    codec.dequantise(piece, 0, values, 0, blocks);
    const at = values.subarray(0, count).findIndex((value) => !Number.isFinite(value));
    if (at >= 0) {
      finder.fail(name, `${values[at]} at value ${before + at}`, "finite numbers in a router");
    }
    before += count;
  }
}
