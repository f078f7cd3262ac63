/**
 * The command `npm run kernels-figure [REPORT.json [PICTURE.svg]]`: draws what bench:kernels measured. Default: the
 * newest of bench/results/kernels-*.json, into bench/results/kernels.svg.
 */
import { writeFileSync } from "node:fs";
import { plotKernels } from "./kernels-figure/plot.ts";
import { readKernelsReport, readKernelsReports } from "./kernels-figure/report.ts";

const [path, picture = "bench/results/kernels.svg"] = process.argv.slice(2);
const report =
  path === undefined ? readKernelsReports("bench/results")[0] : readKernelsReport(path);
if (report === undefined) {
  console.error(
    "bench/results has no kernels-*.json: npm run bench:kernels -- --save bench/results/kernels-MACHINE.json",
  );
  process.exitCode = 1;
} else {
  writeFileSync(picture, plotKernels(report));
  console.log(`${picture}: ${report.machine.cpu}, ${report.date}`);
}
