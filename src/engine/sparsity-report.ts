/** What sparsity did for the answers so far, as `run --json` and `--stats` show it. */

import { weightBytes } from "../core/dtype.ts";
import type { Bytes } from "../core/units.ts";
import { rowPurposes } from "../ops/program.ts";
import { opsOfKind } from "../ops/program-ops.ts";
import type { FfnUse } from "../runtime/ffn-counters.ts";
import type { MethodName } from "../sparsity/method-names.ts";

import type { OpenedModel } from "./open.ts";

export interface SparsityReport extends Omit<FfnUse, "channels"> {
  readonly method: MethodName;
  /**
   * Weight bytes that a dense token alone would read: of the feed-forward blocks and, as in `bytesTouchedPerToken`, of
   * the matrices of attention that are read by input.
   */
  readonly bytesDensePerToken: Bytes;
  /** Share of inputs that those matrices read, 0…1; absent where there are none. */
  readonly attentionInputShare?: number;
}

/** Of steps that write answers, or of prompts before there was one; with "all", of all steps together. */
export function sparsityReport(
  opened: Pick<OpenedModel, "session" | "sparsity" | "description">,
  steps: "answers" | "all" = "answers",
): SparsityReport {
  const { session, sparsity: method, description } = opened;
  const { counters } = session;
  const purpose = rowPurposes.find((one) => counters.use(one).tokens > 0) ?? "prompt";
  const use = counters.use(steps === "all" ? "all" : purpose);
  const { channels, ...ffn } = use;
  const dense = description.layers.reduce((sum, layer) => sum + layer.ffnPerToken, 0);
  if (channels === undefined) return { method, ...ffn, bytesDensePerToken: dense };
  const byInput = opsOfKind(session.program, "matmul").flatMap((op) =>
    op.channels ? [op.weight] : [],
  );
  return {
    method,
    ...ffn,
    bytesTouchedPerToken: ffn.bytesTouchedPerToken + channels.bytesTouchedPerToken,
    bytesDensePerToken: byInput.reduce((sum, weight) => sum + weightBytes(weight), dense),
    attentionInputShare:
      channels.inputsPerToken / byInput.reduce((sum, { columns }) => sum + columns, 0),
  };
}
