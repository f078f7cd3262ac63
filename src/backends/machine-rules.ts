/** What may be asked of a machine: how many threads, and which graphics adapter. */
import { countRule, isNumber, type OptionRule, textRule } from "../core/check-options.ts";

/** No machine that hearth was made for has more hardware threads. */
const maxThreads = 512;

export const threadsRule: OptionRule = countRule(1, maxThreads);

export const adapterRule: OptionRule = {
  expected: "the number of an adapter, or part of its name",
  accepts: (value) => (isNumber(value) ? countRule(0).accepts(value) : textRule.accepts(value)),
};
