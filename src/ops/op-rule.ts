/** What a rule of the table of ops says of one kind of op. */
import type { KvShape } from "./kv-shape.ts";
import type { Op, Slot, Weight } from "./op.ts";
import type { Requirement } from "./requirement.ts";

/** Where an op's slots and its layer of the cache lie in another program. */
export interface Places {
  slot(slot: Slot): Slot;
  cacheLayer(layer: number): number;
}

export interface OpRule<O extends Op> {
  /** Slots whose values the op uses. A slot that it only adds to is not among them. */
  reads(op: O): readonly Slot[];
  /** The slot whose rows the op changes; undefined for an op that fills the cache. */
  writes(op: O): Slot | undefined;
  /** Whether the result is added to what is written to. */
  addsInto(op: O): boolean;
  weights(op: O): readonly Weight[];
  /** Copies of its matrices by which a backend may read single input channels. */
  channels(op: O): readonly Weight[];
  /** The same op at other places. */
  moved(op: O, places: Places): O;
  /** What must hold of its slots and weights, beside that they are of its program. */
  check(op: O, kv: KvShape): readonly Requirement[];
}
