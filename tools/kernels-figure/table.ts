/** A report of the operators as Markdown: for each device a table, time relative to dense by density. */
import { heading, threeDigits } from "../../src/cli/bench-output.ts";
import type { Spread } from "../../src/commands/bench/statistics.ts";
import { formatBytes } from "../../src/core/units.ts";
import { type KernelsReport, type OperatorResult, type Series, seriesOf } from "./report.ts";

export function asMarkdown(report: KernelsReport): string {
  const series = seriesOf(report);
  const devices = [...new Set(series.map(({ device }) => device))];
  return [
    headingOf(report),
    ...devices.flatMap((device) => tableOf(series.filter((one) => one.device === device))),
    ...report.skipped.map(({ name, reason }) => `Not measured: ${name}: ${reason}`),
  ].join("\n\n");
}

function headingOf(report: KernelsReport): string {
  const { columns, matrix_bytes: bytes, cache_bytes: cache } = report;
  return [
    heading(report, "times: median (least–greatest)"),
    `matrices of ${columns} columns, ${formatBytes(bytes)} on the CPU; last-level cache ${formatBytes(cache)}, read over before each sample; other random rows in each round`,
    "% of dense: time for the active rows / time of the dense product of the same type, round by round; ideal is the density itself. On the CPU of the threads' own time, on a GPU of wall time less a submission that does nothing. Dense: bytes/s of the roof, which is the read roof of the run (GPU: its fastest dense product)",
  ].join("\n\n");
}

function tableOf(series: readonly Series[]): readonly string[] {
  const [first] = series;
  if (first === undefined) return [];
  const percents = [...new Set(series.flatMap(({ points }) => points.map((p) => p.percent)))];
  percents.sort((a, b) => a - b);
  const header = [
    first.device,
    "dense GB/s of roof",
    ...percents.map((percent) => `${percent} %`),
    `GB/s of roof at ${percents[0]} %`,
    "faster than dense up to",
  ];
  const rows = series.map(({ type, operator, dense, points }) => [
    `${type} ${operator}`,
    dense === undefined ? "" : rateText(dense),
    ...percents.map((percent) => {
      const point = points.find((one) => one.percent === percent);
      return point === undefined ? "" : shareText(point.of_dense);
    }),
    points[0] === undefined ? "" : rateText(points[0]),
    gainText(points),
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [[line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n")];
}

function rateText({ bytes_per_second: rate, roof_bytes_per_second: roof }: OperatorResult): string {
  const share = Math.round((100 * rate) / roof);
  return `${(rate / 1e9).toFixed(1)} of ${(roof / 1e9).toFixed(1)} (${share} %)`;
}

function shareText({ median, low, high }: Spread): string {
  const [middle, least, most] = [median, low, high].map((share) => threeDigits(100 * share));
  return `${middle} (${least}–${most})`;
}

/** The highest measured density at which the operator beats the dense product. */
function gainText(points: readonly OperatorResult[]): string {
  const won = points.filter(({ of_dense: share }) => share.median < 1).at(-1);
  return won === undefined ? "never" : `${won.percent} %`;
}
