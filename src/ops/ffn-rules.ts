/** The rules of feed-forward blocks, and of the active sets that blocks may be given. */
import { activeWidth } from "./active-bits.ts";
import {
  blockRequirements,
  blockWeights,
  blockWithSlots,
  methodWithSlots,
  predictorInputs,
  predictorRequirements,
  predictorWeights,
} from "./ffn-block.ts";
import type { OpOf } from "./op.ts";
import type { OpRule } from "./op-rule.ts";
import { hasRowsOf, isLike, requires } from "./requirement.ts";

export const ffnRule: OpRule<OpOf<"ffn">> = {
  reads: ({ x, block }) => [x, ...predictorInputs(block.method)],
  writes: ({ out }) => out,
  addsInto: ({ into }) => into === "add",
  weights: ({ block }) => blockWeights(block),
  channels: ({ block: { channels } }) =>
    [channels?.gate, channels?.up].filter((weight) => weight !== undefined),
  moved: (op, { slot }) => {
    const block = blockWithSlots(op.block, slot);
    return { ...op, x: slot(op.x), out: slot(op.out), block };
  },
  check: ({ x, out, block }) => [
    requires(x.width === block.dim, `x of width ${block.dim}`, x.width),
    ...isLike(x, out),
    ...predictorInputs(block.method).map((input) =>
      requires(input.rows === x.rows, `a predictor input with rows of ${x.rows}`, input.rows),
    ),
    ...blockRequirements(block),
  ],
};

export const predictRule: OpRule<OpOf<"predict">> = {
  addsInto: () => false,
  reads: ({ x, predictor }) => [x, ...predictorInputs(predictor)],
  writes: ({ out }) => out,
  weights: ({ predictor }) => predictorWeights(predictor),
  channels: () => [],
  moved: (op, { slot }) => ({
    ...op,
    x: slot(op.x),
    out: slot(op.out),
    predictor: methodWithSlots(op.predictor, slot),
  }),
  check: ({ x, out, neurons, predictor }) => [
    requires(out.width === activeWidth(neurons), `out of ${neurons} neurons`, out.width),
    ...[out, ...predictorInputs(predictor)].map((slot) => hasRowsOf(x, slot)),
    ...predictorRequirements(predictor, { dim: x.width, neurons }),
  ],
};
