/** What can be read off a program without running it: the weights its ops use, the neurons of its blocks. */
import type { BlockRef } from "./block-ref.ts";
import type { FfnBlock, Op, OpKind, OpOf, Weight } from "./op.ts";
import { ruleOf } from "./op-table.ts";
import type { Program } from "./program.ts";

export function opsOf(program: Program): readonly Op[] {
  return program.segments.flatMap((segment) => segment.ops);
}

/** The program's ops of one kind, in order. */
export function opsOfKind<Kind extends OpKind>(
  program: Program,
  kind: Kind,
): readonly OpOf<Kind>[] {
  return opsOf(program).filter((op): op is OpOf<Kind> => op.kind === kind);
}

/** Layers of the cache that the ops read or advance, each once. */
export function cacheLayersOf(ops: readonly Op[]): readonly number[] {
  return [...new Set(ops.flatMap((op) => ("layer" in op ? [op.layer] : [])))];
}

/** All weights of the op but channel-major copies. */
export function weightsOfOp(op: Op): readonly Weight[] {
  return ruleOf(op).weights(op);
}

/** The copies of its matrices by which a backend may read single input channels. */
export function channelsOfOp(op: Op): readonly Weight[] {
  return ruleOf(op).channels(op);
}

/**
 * Of each block, or of each op of experts, the subset that a change is of: undefined for those of other layers, for whole
 * ones and for those of streamed segments.
 */
export function changeableSubsets(
  program: Program,
  { layer, ofExperts }: BlockRef,
): readonly (Uint32Array | undefined)[] {
  return program.segments.flatMap((segment) => {
    const own = { ...program, segments: [segment] };
    const subsets = ofExperts
      ? opsOfKind(own, "experts").map(({ stack, subset }) =>
          stack.layer === layer ? subset : undefined,
        )
      : opsOfKind(own, "ffn").map(({ block }) =>
          block.layer === layer ? block.subset : undefined,
        );
    return segment.isStreamed === true ? subsets.map(() => undefined) : subsets;
  });
}

/** The block's subset with other neurons in the places of `from`, which it must hold: an array of its own. */
export function changedSubset(
  subset: Uint32Array,
  { from, to }: { readonly from: Uint32Array; readonly to: Uint32Array },
): Uint32Array {
  const place = new Map([...subset].map((neuron, at) => [neuron, at]));
  const changed = subset.slice();
  from.forEach((neuron, i) => {
    const at = place.get(neuron);
    const other = to[i];
    if (at === undefined || other === undefined) {
      throw new RangeError(`neuron ${neuron} is not in the subset, or nothing takes its place`);
    }
    changed[at] = other;
  });
  return changed;
}

/** Neurons that the block may compute: its subset, or all. */
export function candidatesOf({ subset, neurons }: FfnBlock): Uint32Array {
  return subset ?? Uint32Array.from({ length: neurons }, (_, neuron) => neuron);
}
