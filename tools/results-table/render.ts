/** README's results from the files of bench/results: every file, every row, whether it flatters hearth or not. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asMarkdown } from "../../src/cli/bench-output.ts";
import type { BenchReport } from "../../src/commands/bench/report.ts";
import { isKernelsReport, type KernelsReport } from "../kernels-figure/report.ts";
import { asMarkdown as asOperatorTable } from "../kernels-figure/table.ts";
import { asMarkdown as asExperiment, type ExperimentReport, isExperiment } from "./experiment.ts";

const begin = "<!-- results -->";
const end = "<!-- /results -->";
const nothing =
  "Nothing has been measured on a quiet machine yet: `hearth bench … --save bench/results/NAME.json`, then `npm run results-table`.";

/** The newest first; files of the same moment by name. @throws Error naming a file that is no bench report. */
export function readReports(folder: string): readonly BenchReport[] {
  const names = readdirSync(folder).filter(
    (name) => name.endsWith(".json") && !isKernelsReport(name),
  );
  const files = names
    .sort()
    .map((name) => ({ name, value: JSON.parse(readFileSync(join(folder, name), "utf8")) }));
  const reports = files
    .filter(({ value }) => !isExperiment(value))
    .map(({ name, value }) => asReport(value, name));
  return reports.sort((a, b) => b.date.localeCompare(a.date));
}

function asReport(value: BenchReport, name: string): BenchReport {
  if (value.hearth_bench === 1 && value.results.length > 0) return value;
  throw new Error(`bench/results/${name}: expected what hearth bench --save writes`);
}

/** All that bench/results holds. */
export interface Results {
  readonly reports: readonly BenchReport[];
  readonly experiments?: readonly ExperimentReport[];
  readonly kernels?: readonly KernelsReport[];
}

/** The README with what stands between the markers replaced. @throws Error when the markers are not there. */
export function updateReadme(
  readme: string,
  { reports, experiments = [], kernels = [] }: Results,
): string {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md: expected ${begin} and ${end}`);
  const sections = reports.map((report) => `${asMarkdown(report)}\n\n\`${report.command}\``);
  sections.push(...experiments.map((report) => `${asExperiment(report)}\n\n\`${report.command}\``));
  if (kernels.length > 0) sections.push("![operators by density](bench/results/kernels.svg)");
  sections.push(...kernels.map((report) => `${asOperatorTable(report)}\n\n\`${report.command}\``));
  const body = sections.length === 0 ? nothing : sections.join("\n\n");
  return `${readme.slice(0, from + begin.length)}\n${body}\n${readme.slice(to)}`;
}
