/** The command `npm run make-model`: a model of any shape with random weights, to measure and to test with. */
import { statSync } from "node:fs";
import { HearthError } from "../src/core/errors.ts";
import { formatBytes } from "../src/core/units.ts";
import { makeModel } from "./make-model/make-model.ts";
import { parseOptions, usage } from "./make-model/options.ts";

async function main(args: readonly string[]): Promise<number> {
  if (args.length === 0 || args.includes("--help")) {
    console.log(usage);
    return args.length === 0 ? 2 : 0;
  }
  const options = parseOptions(args);
  const start = performance.now();
  await makeModel(options);
  const seconds = (performance.now() - start) / 1000;
  const size = formatBytes(statSync(options.out).size);
  console.log(`${options.out}: ${options.name}, ${size}, ${seconds.toFixed(1)} s`);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof HearthError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
