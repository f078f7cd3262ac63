/** The ops of one layer of a model as its architecture emits them, before they are strung together. */
import type { Op, OpOf, Slot } from "../ops/op.ts";

/** One layer, its FFN apart: run `before`, `ffn`, `after`. Experts are not apart: with them, `ffn` is absent. */
export interface ModelLayer {
  readonly index: number;
  readonly before: readonly Op[];
  readonly ffn?: OpOf<"ffn">;
  /** What PowerInfer's predictor reads; unchanged until `ffn` has run. */
  readonly predictorInput?: Slot;
  /** Attention, where it is parallel to the FFN; what is done to the FFN's result before it is added. */
  readonly after: readonly Op[];
  readonly attention: AttentionSlots;
}

/** What the matrices of attention multiply, before any mask. */
export interface AttentionSlots {
  /** q, k and v. */
  readonly input: Slot; // width dim
  /** The output projection. */
  readonly output: Slot; // width heads · valueWidth
}
