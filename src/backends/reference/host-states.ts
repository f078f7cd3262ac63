/** What the reference's layers remember, as the bytes of ops/state-parts.ts and back. */
import { requireCells } from "../../ops/kv-shape.ts";
import { positionBytes, type StatePart } from "../../ops/state-parts.ts";
import type { Codec } from "../../quant/codec.ts";
import { quantCodec } from "../../quant/codecs.ts";
import type { ReferenceState } from "./state.ts";

export function readPart(state: ReferenceState, place: number, part: StatePart): Uint8Array {
  const bytes = new Uint8Array(part.bytes);
  if (part.kind === "state") {
    const [inputs, matrices] = stateArrays(state, place, part.layer);
    bytes.set(bytesOf(inputs));
    bytes.set(bytesOf(matrices), inputs.byteLength);
    return bytes;
  }
  const { each, codec, row } = rowsOf(state, place, part);
  for (let i = 0; i < part.count; i++) {
    const values = row(part.first + i);
    if (codec === undefined) bytes.set(bytesOf(values), i * each);
    else codec.quantise(values, 0, bytes, i * each, values.length / codec.blockElements);
  }
  return bytes;
}

export function writePart(
  state: ReferenceState,
  { place, bytes }: { readonly place: number; readonly bytes: Uint8Array },
  part: StatePart,
): void {
  if (part.kind === "state") {
    const [inputs, matrices] = stateArrays(state, place, part.layer);
    bytesOf(inputs).set(bytes.subarray(0, inputs.byteLength));
    bytesOf(matrices).set(bytes.subarray(inputs.byteLength));
    return;
  }
  const { each, codec, row } = rowsOf(state, place, part);
  for (let i = 0; i < part.count; i++) {
    const values = row(part.first + i);
    if (codec === undefined) bytesOf(values).set(bytes.subarray(i * each, (i + 1) * each));
    else codec.dequantise(bytes, i * each, values, 0, values.length / codec.blockElements);
  }
}

function stateArrays(
  state: ReferenceState,
  place: number,
  layer: number,
): readonly [inputs: Float32Array, matrices: Float32Array] {
  const { shape, inputs, matrices } = state.recurrent[layer]!;
  const held = shape.conv.positions * shape.conv.channels;
  const size = shape.state.heads * shape.state.rows * shape.state.columns;
  return [
    inputs.subarray(place * held, (place + 1) * held),
    matrices.subarray(place * size, (place + 1) * size),
  ];
}

function rowsOf(
  state: ReferenceState,
  place: number,
  { layer, kind }: Extract<StatePart, { first: number }>,
): {
  readonly each: number;
  /** Undefined for f32. */
  readonly codec: Codec | undefined;
  readonly row: (position: number) => Float32Array;
} {
  const cells = requireCells(state.kv.shape, layer);
  const rows = state.kv.layers[layer]![kind];
  const { type } = cells;
  return {
    each: positionBytes(cells, kind),
    codec: type === "f32" ? undefined : quantCodec(type === "f16" ? "F16" : "Q8_0"),
    row: (position) => {
      const at = rows.offset(place, position);
      return rows.data.subarray(at, at + rows.rowWidth);
    },
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
