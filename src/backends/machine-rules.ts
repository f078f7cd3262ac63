/** What may be asked of a machine: how many threads, which pages for weights, and which graphics adapter. */
import { countRule, isNumber, type OptionRule, textRule } from "../core/check-options.ts";

/** No machine that hearth was made for has more hardware threads. */
const maxThreads = 512;

export const threadsRule: OptionRule = countRule(1, maxThreads);

export const adapterRule: OptionRule = {
  expected: "the number of an adapter, or part of its name",
  accepts: (value) => (isNumber(value) ? countRule(0).accepts(value) : textRule.accepts(value)),
};

/**
 * When mapped weights are copied into huge pages, where the system has such pages and ample memory: while the model is used
 * already, before it is, or never.
 */
export const hugePageUses = ["background", "before", "never"] as const;

export type HugePageUse = (typeof hugePageUses)[number];
