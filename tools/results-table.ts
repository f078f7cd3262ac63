/** The command `npm run results-table`: writes the results of bench/results into README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { readKernelsReports } from "./kernels-figure/report.ts";
import { readReports, updateReadme } from "./results-table/render.ts";

const reports = readReports("bench/results");
const kernels = readKernelsReports("bench/results");
writeFileSync("README.md", updateReadme(readFileSync("README.md", "utf8"), reports, kernels));
console.log(`README.md: ${reports.length + kernels.length} reports`);
