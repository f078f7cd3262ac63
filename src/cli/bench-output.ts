/** A bench report as a Markdown table and as CSV. */
import { percent } from "../core/numbers.ts";
import { type BenchReport, type BenchResult, formatBytes, type Spread } from "../index.ts";

export function asMarkdown(report: BenchReport): string {
  const { results } = report;
  const columns = columnsOf(results);
  const header = columns.map(({ title }) => title);
  const rows = results.map((result) => columns.map(({ cell }) => cell(result)));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const title = heading(report, "tokens/s: median (least–greatest)");
  return [title, "", line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Where, of what and how often: the first lines of every report. */
export function heading(
  report: Omit<BenchReport, "hearth_bench" | "results">,
  measured: string,
): string {
  const { machine, commit, hearth, date, repetitions } = report;
  return [
    machineText(machine),
    `hearth ${hearth}${commit === null ? "" : ` at ${commit}`}, ${date}`,
    `${measured} of ${repetitions} runs after one warm-up`,
    ...loadWarning(machine),
  ].join("\n\n");
}

export function machineText(machine: BenchReport["machine"]): string {
  const cores = machine.physical_cores === null ? "" : `, ${machine.physical_cores} cores`;
  const memory = formatBytes(machine.memory_bytes);
  return `${machine.cpu}${cores}, ${memory}, ${machine.system}; load ${machine.load}`;
}

/** Another program that wants half a core already moves a median on a small machine. */
const quietLoad = 0.5;

/** One sentence, or none for a quiet machine. */
export function loadWarning({ load }: BenchReport["machine"]): readonly string[] {
  if (load <= quietLoad) return [];
  return [
    `**Not a quiet machine**: other programs kept ${load} cores busy; compare nothing with this.`,
  ];
}

interface Column {
  readonly title: string;
  readonly cell: (result: BenchResult) => string;
}

/** Columns that no result fills are left out. */
function columnsOf(results: readonly BenchResult[]): readonly Column[] {
  const native = results.find((one) => one.against_llama_bench)?.against_llama_bench?.program;
  const wrapper = results.find(({ against }) => against)?.against?.program;
  const columns: readonly Column[] = [
    { title: "model", cell: ({ model }) => model },
    { title: "size", cell: ({ file_bytes: bytes }) => formatBytes(bytes) },
    { title: "parameters", cell: ({ parameters }) => `${(parameters / 1e6).toFixed(0)} M` },
    { title: "quant", cell: ({ quant }) => quant },
    { title: "device", cell: ({ device }) => device },
    { title: "sparsity", cell: ({ sparsity }) => sparsity },
    { title: "test", cell: ({ test }) => test },
    { title: "tokens/s", cell: ({ tokens_per_second: rates }) => rateText(rates) },
    { title: "GB/s of roof", cell: roofText },
    { title: "active", cell: ({ active_share: share }) => shareText(share) },
    { title: "on GPU", cell: ({ gpu_share: share }) => shareText(share) },
    {
      title: `${native} tokens/s`,
      cell: ({ against_llama_bench: against }) => rateText(against?.tokens_per_second),
    },
    {
      title: "ratio to llama-bench",
      cell: ({ against_llama_bench: against }) => rateText(against?.ratio),
    },
    { title: `${wrapper} tokens/s`, cell: ({ against }) => rateText(against?.tokens_per_second) },
    { title: "ratio to node-llama-cpp", cell: ({ against }) => rateText(against?.ratio) },
  ];
  return columns.filter(({ cell }) => results.some((result) => cell(result) !== ""));
}

/** Three significant digits: more than the spread allows, less than noise. */
function rateText(spread: Spread | undefined): string {
  if (spread === undefined) return "";
  const { median, low, high } = spread;
  return `${threeDigits(median)} (${threeDigits(low)}–${threeDigits(high)})`;
}

export function threeDigits(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(digits, 6));
}

function roofText(result: BenchResult): string {
  const { bytes_per_second: rate, roof_bytes_per_second: roof } = result;
  if (rate === undefined) return "";
  const own = (rate / 1e9).toFixed(1);
  if (roof === undefined) return own;
  return `${own} of ${(roof / 1e9).toFixed(1)} (${Math.round((100 * rate) / roof)} %)`;
}

function shareText(share: number | undefined): string {
  return share === undefined ? "" : percent(share, 1);
}

/** One line for each result; every number as it was measured. */
export function asCsv({ date, commit, machine, repetitions, results }: BenchReport): string {
  const rows = results.map((result) => {
    const { tokens_per_second: rates, against, against_llama_bench: native } = result;
    return {
      date,
      commit,
      cpu: machine.cpu,
      model: result.model,
      quant: result.quant,
      file_bytes: result.file_bytes,
      device: result.device,
      sparsity: result.sparsity,
      test: result.test,
      repetitions,
      tokens_per_second: rates.median,
      low: rates.low,
      high: rates.high,
      bytes_per_second: result.bytes_per_second,
      roof_bytes_per_second: result.roof_bytes_per_second,
      active_share: result.active_share,
      gpu_share: result.gpu_share,
      against: against?.program,
      against_tokens_per_second: against?.tokens_per_second.median,
      ratio: against?.ratio.median,
      ratio_low: against?.ratio.low,
      ratio_high: against?.ratio.high,
      llama_bench: native?.program,
      llama_bench_tokens_per_second: native?.tokens_per_second.median,
      llama_bench_ratio: native?.ratio.median,
      llama_bench_ratio_low: native?.ratio.low,
      llama_bench_ratio_high: native?.ratio.high,
    };
  });
  const header = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) => Object.values(row).map(csvField).join(","));
  return [header.join(","), ...lines].join("\n");
}

function csvField(value: string | number | null | undefined): string {
  const text = String(value ?? "");
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
