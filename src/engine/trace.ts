/** What sparsity did for the answers so far, as `run --json` and `--stats` show it. */
import type { Bytes } from "../core/units.ts";
import type { FfnUse } from "../runtime/ffn-trace.ts";
import type { MethodName } from "../sparsity/sidecar.ts";
import type { OpenedModel } from "./open.ts";

export interface SparsityReport extends FfnUse {
  readonly method: MethodName;
  /** FFN weight bytes of the model: what a dense token alone would read. */
  readonly bytesDensePerToken: Bytes;
}

/** Of decode steps; of prompts when nothing was decoded yet. `kind` "all": of both together. */
export function sparsityReport(
  opened: Pick<OpenedModel, "session" | "sparsity" | "description">,
  kind: "decode" | "all" = "decode",
): SparsityReport {
  const { session, sparsity: method, description } = opened;
  const asked = session.trace.use(kind);
  const use = asked.tokens > 0 ? asked : session.trace.use("prompt");
  const bytesDensePerToken = description.layers.reduce((sum, { ffn }) => sum + ffn, 0);
  return { method, ...use, bytesDensePerToken };
}
