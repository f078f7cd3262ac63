/** The command `npm run results-table`: writes docs/RESULTS.md and README's table from the files of bench/results. */
import { readFileSync, writeFileSync } from "node:fs";
import { updateReadme } from "./results-table/readme-table.ts";
import { readResults, resultsPage } from "./results-table/render.ts";

const results = readResults("bench/results");
writeFileSync("docs/RESULTS.md", resultsPage(results));
writeFileSync("README.md", updateReadme(readFileSync("README.md", "utf8"), results.readme));
const { readme, reports, experiments, kernels } = results;
const all = readme.length + reports.length + experiments.length + kernels.length;
console.log(`docs/RESULTS.md: ${all} reports; README.md: ${readme.length} of them`);
