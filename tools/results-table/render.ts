/** docs/RESULTS.md from the files of bench/results: every file, every row, whether it flatters hearth or not. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asMarkdown } from "../../src/cli/bench-output.ts";
import type { BenchReport } from "../../src/commands/bench/report.ts";
import {
  isKernelsReport,
  type KernelsReport,
  readKernelsReports,
} from "../kernels-figure/report.ts";
import { asMarkdown as asOperatorTable } from "../kernels-figure/table.ts";
import {
  asMarkdown as asExperiment,
  type ExperimentReport,
  isExperiment,
  readExperiments,
} from "./experiment.ts";

const introduction = `# Results

Written by \`npm run results-table\` from the files of bench/results, all of them, losses included. "llama-bench" is native
llama.cpp; "node-llama-cpp" is llama.cpp through its Node wrapper, whose time outside the kernels (11 to 16 ms a token on
two cores) is in its figures: a ratio to it is none to llama.cpp.`;
const nothing =
  "Nothing has been measured on a quiet machine yet: `hearth bench … --save bench/results/NAME.json`, then `npm run results-table`.";

/** All that bench/results holds. */
export interface Results {
  /** Those that README's table is made of: bench/results/readme. */
  readonly readme: readonly BenchReport[];
  readonly reports: readonly BenchReport[];
  readonly experiments: readonly ExperimentReport[];
  readonly kernels: readonly KernelsReport[];
}

/** @throws Error naming a file that is no report. */
export function readResults(folder: string): Results {
  return {
    readme: readReports(join(folder, "readme")),
    reports: readReports(folder),
    experiments: readExperiments(folder),
    kernels: readKernelsReports(folder),
  };
}

/** The newest first; files of the same moment by name. */
function readReports(folder: string): readonly BenchReport[] {
  const names = readdirSync(folder).filter(
    (name) => name.endsWith(".json") && !isKernelsReport(name),
  );
  const files = names
    .sort()
    .map((name) => ({ name, value: JSON.parse(readFileSync(join(folder, name), "utf8")) }));
  const reports = files
    .filter(({ value }) => !isExperiment(value))
    .map(({ name, value }) => asReport(value, join(folder, name)));
  return reports.sort((a, b) => b.date.localeCompare(a.date));
}

function asReport(value: BenchReport, path: string): BenchReport {
  if (value.hearth_bench === 1 && value.results.length > 0) return value;
  throw new Error(`${path}: expected what hearth bench --save writes`);
}

/** The whole of docs/RESULTS.md. */
export function resultsPage({ readme, reports, experiments, kernels }: Results): string {
  const sections = [...readme, ...reports].map((report) => section(asMarkdown(report), report));
  sections.push(...experiments.map((report) => section(asExperiment(report), report)));
  if (kernels.length > 0) sections.push("![operators by density](../bench/results/kernels.svg)");
  sections.push(...kernels.map((report) => section(asOperatorTable(report), report)));
  const body = sections.length === 0 ? [nothing] : sections;
  return `${[introduction, ...body].join("\n\n")}\n`;
}

function section(text: string, { command }: { readonly command: string }): string {
  return `${text}\n\n\`${command}\``;
}
