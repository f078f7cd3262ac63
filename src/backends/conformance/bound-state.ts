/**
 * Error bounds beside the values of the reference: one for each element of each slot and of the KV cache.
 * A bound says how far a correct backend may be from the value, given everything that came before.
 */
import { weightFormat } from "../../core/dtype.ts";
import { placesOf } from "../../ops/kv-shape.ts";
import type { Slot, Weight } from "../../ops/op.ts";
import type { RecurrentState } from "../reference/recurrent-state.ts";
import { type ReferenceState, slotData, weightData } from "../reference/state.ts";
import type { Arithmetic } from "../tolerance.ts";

export interface BoundState {
  readonly reference: ReferenceState;
  readonly arithmetic: Arithmetic;
  /** By Slot.id, as the slots of the reference. */
  readonly errors: readonly Float64Array[];
  /** By layer, as the cache of the reference. */
  readonly keyErrors: readonly Float64Array[];
  readonly valueErrors: readonly Float64Array[];
  /** By layer, as the states of the reference. */
  readonly stateErrors: readonly (StateErrors | undefined)[];
  readonly magnitudes: Map<Weight, WeightMagnitudes>;
  /** Neurons so far whose score was too near to a threshold to judge. */
  readonly uncertain: { count: number };
}

/** |w|, and what is really added up for it: codes with an offset make larger terms than the weight itself. */
export interface WeightMagnitudes {
  readonly absolute: Float32Array;
  readonly terms: Float32Array;
}

/** Of the states of a recurrent layer. */
interface StateErrors {
  /** Of each input that a convolution holds. */
  readonly inputs: Float64Array;
  /** The length of the error vector of each column of each matrix: [states, heads, columns]. */
  readonly columns: Float64Array;
}

function createStateErrors(
  layers: readonly (RecurrentState | undefined)[],
  states: number,
): readonly (StateErrors | undefined)[] {
  return layers.map((layer) => {
    if (layer === undefined) return undefined;
    const { heads, columns } = layer.shape.state;
    return {
      inputs: new Float64Array(layer.inputs.length),
      columns: new Float64Array(states * heads * columns),
    };
  });
}

/** Values and their bounds, a row of a slot or something made from it. */
export interface Bounded {
  readonly values: Float32Array;
  readonly errors: Float64Array;
}

const none = new Float32Array();

export function createBoundState(reference: ReferenceState, arithmetic: Arithmetic): BoundState {
  const zeros = (data: Float32Array): Float64Array => new Float64Array(data.length);
  return {
    reference,
    arithmetic,
    errors: reference.slots.map(zeros),
    keyErrors: reference.kv.layers.map((layer) => zeros(layer?.keys.data ?? none)),
    valueErrors: reference.kv.layers.map((layer) => zeros(layer?.values.data ?? none)),
    stateErrors: createStateErrors(reference.recurrent, placesOf(reference.kv.shape)),
    magnitudes: new Map(),
    uncertain: { count: 0 },
  };
}

export function slotErrors(state: BoundState, slot: Slot): Float64Array {
  return state.errors[slot.id]!;
}

/** Views of one row of a slot. */
export function boundedRow(state: BoundState, slot: Slot, row: number): Bounded {
  const begin = row * slot.width;
  return {
    values: slotData(state.reference, slot).subarray(begin, begin + slot.width),
    errors: slotErrors(state, slot).subarray(begin, begin + slot.width),
  };
}

/**
 * For a type with offsets |code·scale| + |offset| ≤ |w| + 2·|offset|, and the offset is the block's extreme value (code 0),
 * so at most the largest |w| of the block. Offsets are shared by 32 elements in all types (16 in Q6_K: within).
 */
export function weightMagnitudes(state: BoundState, weight: Weight): WeightMagnitudes {
  const known = state.magnitudes.get(weight);
  if (known !== undefined) return known;
  const absolute = weightData(state.reference, weight).map(Math.abs);
  const { hasOffsets } = weightFormat(weight.type);
  const made = { absolute, terms: hasOffsets ? withOffsets(absolute) : absolute };
  state.magnitudes.set(weight, made);
  return made;
}

function withOffsets(absolute: Float32Array): Float32Array {
  const terms = new Float32Array(absolute.length);
  for (let block = 0; block < absolute.length; block += 32) {
    const largest = absolute.subarray(block, block + 32).reduce((a, b) => Math.max(a, b), 0);
    for (let i = block; i < block + 32; i++) terms[i] = absolute[i]! + 2 * largest;
  }
  return terms;
}
