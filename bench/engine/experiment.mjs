/** The report that a measuring script prints and saves (tools/results-table/experiment.ts reads it). */
import { writeFileSync } from "node:fs";
import { checkoutCommit, describeMachine } from "../../dist/commands/bench/machine.js";
import { ownVersion } from "../../dist/core/version.js";

/** Before the measurement, as it takes half a second in which nothing else should run. */
export async function beginExperiment(title, command) {
  const date = new Date().toISOString();
  const machine = await describeMachine();
  return {
    hearth_experiment: 1,
    title,
    date,
    hearth: ownVersion(),
    commit: checkoutCommit(),
    machine,
    command,
  };
}

/** Prints the report as JSON; to a file as well where one is named. */
export function endExperiment(report, file) {
  const text = JSON.stringify(report, undefined, 1);
  if (file !== undefined) writeFileSync(file, `${text}\n`);
  console.log(text);
}
