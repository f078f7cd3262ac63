/** The command `npm run results-table`: writes the results of bench/results into README.md. */
import { readFileSync, writeFileSync } from "node:fs";
import { readReports, updateReadme } from "./results-table/render.ts";

const reports = readReports("bench/results");
writeFileSync("README.md", updateReadme(readFileSync("README.md", "utf8"), reports));
console.log(`README.md: ${reports.length} reports`);
