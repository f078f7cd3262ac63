/** How a filter or a test is written down. */
import { type Arguments, matchArguments } from "./arguments.ts";
import type { Call, Run, Value } from "./values.ts";

/** A filter or a test, called with what stands before it and the arguments after it. */
export type Filter<Result extends Value = Value> = (input: Value, call: Call, run: Run) => Result;

/** `parameters`: after the input; see arguments.ts. */
export function filter<Result extends Value = Value>(
  name: string,
  parameters: string,
  apply: (input: Value, args: Arguments, run: Run) => Result,
): Filter<Result> {
  const match = matchArguments(name, parameters);
  return (input, call, run) => apply(input, match(call, run), run);
}
