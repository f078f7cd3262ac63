/**
 * Channel-major copies in the suite. A backend may read W or its copy, and the two need not give the same: the copy may
 * be of another type, and x is a factor of its rows in f32, where W's type may read x as int8 codes. So there are two
 * right answers, each with a bound of its own, and every element must be near one of them.
 */
import { tensorType, type WeightType } from "../../core/dtype.ts";
import type { FfnBlock, Op, Weight } from "../../ops/op.ts";
import type { Program } from "../../ops/program.ts";
import { channelsOfOp, opsOf } from "../../ops/program-ops.ts";
import { quantCodec } from "../../quant/codecs.ts";
import { memoryWeight } from "./program-builder.ts";

/** W [out, in] → its copy [in, out] in another type, of the values that W holds. */
export function channelCopy(weight: Weight, type: WeightType): Weight {
  const { name, rows, columns } = weight;
  return memoryWeight(`${name} channels`, type, [columns, rows], transposedValues(weight));
}

/** The block with copies of its gate and up. */
export function withChannels(block: FfnBlock, type: WeightType): FfnBlock {
  const gate = block.gate && { gate: channelCopy(block.gate, type) };
  return { ...block, channels: { ...gate, up: channelCopy(block.up, type) } };
}

/**
 * The same program with every weight that has a copy read from the copy; undefined where there is none. The weights are
 * f32, whose bound allows each element four roundings of its own size: what f32, f16, bf16, q8_0 and q4_0 rows need,
 * whose elements are one product d·code, exact but for one rounding.
 */
export function programByChannels(program: Program): Program | undefined {
  if (opsOf(program).every((op) => channelsOfOp(op).length === 0)) return undefined;
  const segments = program.segments.map((segment) => ({
    ...segment,
    ops: segment.ops.map(opByChannels),
  }));
  return { ...program, segments };
}

function opByChannels(op: Op): Op {
  if (op.kind === "matmul" && op.channels !== undefined) {
    return { ...op, weight: rowsOf(op.channels) };
  }
  if (op.kind !== "ffn" || op.block.channels === undefined) return op;
  const { gate, up } = op.block.channels;
  const block = { ...op.block, up: rowsOf(up), ...(gate && { gate: rowsOf(gate) }) };
  return { ...op, block };
}

/** The copy [in, out] → an f32 matrix [out, in] of its values. */
function rowsOf(copy: Weight): Weight {
  const { name, rows, columns } = copy;
  return memoryWeight(`${name} as rows`, "F32", [columns, rows], transposedValues(copy));
}

/** The stored values of W [rows, columns], column after column. */
function transposedValues({ type, rows, columns, bytes }: Weight): Float32Array {
  if (bytes.kind === "file") throw new RangeError("weights of cases lie in memory");
  const values = new Float32Array(rows * columns);
  quantCodec(type).dequantise(
    bytes.data,
    0,
    values,
    0,
    values.length / tensorType(type).blockElements,
  );
  return new Float32Array(values.length).map(
    (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!,
  );
}
