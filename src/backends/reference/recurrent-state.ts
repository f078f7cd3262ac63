/** The states of fixed size of the reference, in f32: those of the sequences, then the checkpoints. */
import { type KvShape, placesOf, type RecurrentLayer } from "../../ops/kv-shape.ts";

/** States of one layer, each of a sequence or a checkpoint behind them. */
export interface RecurrentState {
  readonly shape: RecurrentLayer;
  /** The last inputs of the convolution, the oldest first: [states, positions, channels]. */
  readonly inputs: Float32Array;
  /** [states, heads, rows, columns]. */
  readonly matrices: Float32Array;
}

export function createRecurrentStates(kv: KvShape): readonly (RecurrentState | undefined)[] {
  const states = placesOf(kv);
  return kv.layers.map((shape) => {
    if (shape.kind !== "recurrent") return undefined;
    const { conv, state } = shape;
    return {
      shape,
      inputs: new Float32Array(states * conv.positions * conv.channels),
      matrices: new Float32Array(states * state.heads * state.rows * state.columns),
    };
  });
}

/** One state of every layer to the place of another. */
export function copyStates(
  states: readonly (RecurrentState | undefined)[],
  from: number,
  to: number,
): void {
  for (const state of states) {
    if (state === undefined) continue;
    const { conv, state: matrix } = state.shape;
    const copy = { from, to };
    copyState(state.inputs, conv.positions * conv.channels, copy);
    copyState(state.matrices, matrix.heads * matrix.rows * matrix.columns, copy);
  }
}

/** In an array that holds `size` elements for each state. */
export function copyState(
  data: Float32Array | Float64Array,
  size: number,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  data.copyWithin(to * size, from * size, (from + 1) * size);
}
