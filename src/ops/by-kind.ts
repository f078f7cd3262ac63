/** A function for each kind of op: what a backend, or a suite, has of its own beside the table of ops. */
import type { Op, OpKind, OpOf } from "./op.ts";

/** Declared as a method: so the function for an op's own kind may be called with any op of that kind. */
interface OpFunction<O extends Op, Rest extends readonly unknown[], Result> {
  apply(op: O, ...rest: Rest): Result;
}

/** A function for each kind of op, as a backend's lowering. A kind without one does not compile. */
export type ByKind<Rest extends readonly unknown[], Result> = {
  readonly [Kind in OpKind]: OpFunction<OpOf<Kind>, Rest, Result>["apply"];
};

/** The function for the op's kind. */
export function functionFor<Rest extends readonly unknown[], Result>(
  functions: ByKind<Rest, Result>,
  op: Op,
): OpFunction<Op, Rest, Result>["apply"] {
  return functions[op.kind];
}
