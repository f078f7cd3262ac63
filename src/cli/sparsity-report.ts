/** What sparsity did, for people and as JSON. */
import { percent } from "../core/numbers.ts";
import { formatBytes, type SparsityReport } from "../index.ts";
import { table } from "./table.ts";

export function sparsityJson(report: SparsityReport): object {
  return {
    method: report.method,
    active_share: report.activeShare,
    active_share_per_layer: report.activeSharePerLayer,
    predictor_time_share: report.predictorTimeShare,
    bytes_touched_per_token: report.bytesTouchedPerToken,
    bytes_dense_per_token: report.bytesDensePerToken,
    attention_input_share: report.attentionInputShare,
  };
}

export function sparsityText(report: SparsityReport): string {
  const { bytesTouchedPerToken: touched, bytesDensePerToken: dense } = report;
  const { attentionInputShare: inputs } = report;
  const matrices = inputs === undefined ? "FFN" : "FFN and attention";
  return table([
    ["sparsity", report.method],
    ["neurons computed", percent(report.activeShare, 1)],
    ["by layer", report.activeSharePerLayer.map((share) => percent(share, 0)).join(", ")],
    ...(inputs === undefined ? [] : [["attention inputs read", percent(inputs, 1)]]),
    [`${matrices} bytes a token`, `${formatBytes(Math.round(touched))} of ${formatBytes(dense)}`],
    ["predictor", predictorText(report)],
  ]);
}

function predictorText({ predictorTimeShare }: SparsityReport): string {
  return predictorTimeShare === undefined
    ? "time not measured"
    : `${percent(predictorTimeShare, 1)} of the time`;
}
