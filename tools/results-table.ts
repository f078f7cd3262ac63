/** The command `npm run results-table`: writes the results of bench/results into README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { readKernelsReports } from "./kernels-figure/report.ts";
import { readExperiments } from "./results-table/experiment.ts";
import { readReports, updateReadme } from "./results-table/render.ts";

const folder = "bench/results";
const results = {
  reports: readReports(folder),
  experiments: readExperiments(folder),
  kernels: readKernelsReports(folder),
};
writeFileSync("README.md", updateReadme(readFileSync("README.md", "utf8"), results));
const { reports, experiments, kernels } = results;
console.log(`README.md: ${reports.length + experiments.length + kernels.length} reports`);
