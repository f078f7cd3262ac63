/** README's one table: a row for each model and method of bench/results/readme, writing and reading beside llama.cpp. */
import { loadWarning, machineText, threeDigits } from "../../src/cli/bench-output.ts";
import type { AgainstResult, BenchReport, BenchResult } from "../../src/commands/bench/report.ts";
import { formatBytes } from "../../src/core/units.ts";

const begin = "<!-- results -->";
const end = "<!-- /results -->";
/** More is no overview: the rest is in docs/RESULTS.md. */
const maxRows = 8;

/** The two tests of one model by one method on one device. */
interface Row {
  readonly decode: BenchResult | undefined;
  readonly prompt: BenchResult | undefined;
  readonly shape: BenchResult;
}

/** README with what stands between the markers replaced. @throws Error when the markers are not there, or as readmeTable. */
export function updateReadme(readme: string, reports: readonly BenchReport[]): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md: expected ${begin} and ${end}`);
  return `${readme.slice(0, from + begin.length)}\n${readmeTable(reports)}\n${readme.slice(to)}`;
}

/** @throws Error for reports of several machines or test lengths, or of more rows than an overview has. */
function readmeTable(reports: readonly BenchReport[]): string {
  const [newest] = reports;
  if (newest === undefined) {
    return "Nothing has been measured beside native llama.cpp yet: `node bench/engine/readme-table.mjs`.";
  }
  const results = reports.flatMap((report) => report.results);
  single(
    "machine",
    reports.map(({ machine }) => machine.cpu),
  );
  const device = single(
    "device",
    results.map((result) => result.device),
  );
  const [decode, prompt] = ["tg", "pp"].map((kind) =>
    single(
      `${kind} test`,
      results.map(({ test }) => test).filter((test) => test.startsWith(kind)),
    ),
  );
  const rows = rowsOf(results);
  if (rows.length > maxRows)
    throw new Error(`bench/results/readme: ${rows.length} rows; expected at most ${maxRows}`);
  const columns = [
    { title: "model", cell: ({ shape }: Row) => shape.model.replace(/\.gguf$/, "") },
    { title: "size", cell: ({ shape }: Row) => formatBytes(shape.file_bytes) },
    { title: "sparsity", cell: ({ shape }: Row) => methodText(shape) },
    { title: `${decode}, tokens/s`, cell: (row: Row) => rate(row.decode) },
    { title: "of the read roof", cell: (row: Row) => roofShare(row.decode) },
    { title: `${decode} × llama.cpp`, cell: (row: Row) => ratio(row.decode?.against_llama_bench) },
    { title: `${prompt}, tokens/s`, cell: (row: Row) => rate(row.prompt) },
    { title: `${prompt} × llama.cpp`, cell: (row: Row) => ratio(row.prompt?.against_llama_bench) },
    { title: `${decode} × node-llama-cpp`, cell: (row: Row) => ratio(row.decode?.against) },
    { title: `${prompt} × node-llama-cpp`, cell: (row: Row) => ratio(row.prompt?.against) },
  ].filter(({ cell }) => rows.some((row) => cell(row) !== ""));
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const table = [
    line(columns.map(({ title }) => title)),
    line(columns.map(() => "---")),
    ...rows.map((row) => line(columns.map(({ cell }) => cell(row)))),
  ];
  return [introduction(reports, device), table.join("\n"), baselines(results)].join("\n\n");
}

/** Rows in the order in which the tests were measured, files by size of model and name. */
function rowsOf(results: readonly BenchResult[]): readonly Row[] {
  const keyOf = ({ model, sparsity }: BenchResult): string => `${model} ${sparsity}`;
  const sorted = results.toSorted(
    (a, b) => b.parameters - a.parameters || b.file_bytes - a.file_bytes,
  );
  return [...new Set(sorted.map(keyOf))].map((key) => {
    const [shape, ...others] = sorted.filter((result) => keyOf(result) === key);
    if (shape === undefined) throw new Error(`${key}: no result`);
    const both = [shape, ...others];
    const decode = both.find(({ test }) => test.startsWith("tg"));
    const prompt = both.find(({ test }) => test.startsWith("pp"));
    return { decode, prompt, shape: decode ?? shape };
  });
}

/** Machine, load of the busiest measurement, device, version, every day and commit. */
function introduction(reports: readonly BenchReport[], device: string): string {
  const [newest] = reports;
  if (newest === undefined) return "";
  const load = Math.max(...reports.map(({ machine }) => machine.load));
  const machine = { ...newest.machine, load };
  const when = reports.map(
    ({ date, commit }) => `${date.slice(0, 10)} at ${commit ?? "no commit"}`,
  );
  const rounds = new Set(reports.map(({ repetitions }) => repetitions));
  const where = `${machineText(machine)}; ${device}`;
  const measured = `hearth ${newest.hearth}, ${[...new Set(when)].join(", ")}`;
  const spread = `Medians of ${[...rounds].join(" and ")} rounds after one warm-up; ratios round by round (least–greatest)`;
  return [`${where}. ${measured}. ${spread}.`, ...loadWarning(machine)].join("\n\n");
}

/** What the columns of ratios compare with. */
function baselines(results: readonly BenchResult[]): string {
  const native = new Set(results.flatMap((one) => one.against_llama_bench?.program ?? []));
  const wrapper = new Set(results.flatMap(({ against }) => against?.program ?? []));
  const sentences = [
    ...[...native].map((name) => `llama.cpp is native ${name}, measured in turn.`),
    ...[...wrapper].map(
      (name) =>
        `${name} is llama.cpp through its Node wrapper, whose time outside the kernels counts against it: no ratio to it is one to llama.cpp.`,
    ),
  ];
  return sentences.join(" ");
}

/** @throws Error for several, as figures of different kinds do not stand in one column. */
function single(what: string, values: readonly string[]): string {
  const [one = "", ...others] = new Set(values);
  if (others.length === 0) return one;
  throw new Error(`bench/results/readme: ${what} ${[one, ...others].join(" and ")}; expected one`);
}

function methodText({ sparsity, active_share: share }: BenchResult): string {
  return share === undefined ? sparsity : `${sparsity}, ${(100 * share).toFixed(0)} % active`;
}

function rate(result: BenchResult | undefined): string {
  return result === undefined ? "" : threeDigits(result.tokens_per_second.median);
}

function roofShare(result: BenchResult | undefined): string {
  const { bytes_per_second: own, roof_bytes_per_second: roof } = result ?? {};
  return own === undefined || roof === undefined ? "" : `${Math.round((100 * own) / roof)} %`;
}

function ratio(against: AgainstResult | undefined): string {
  if (against === undefined) return "";
  const { median, low, high } = against.ratio;
  return `${median.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}
