/** A step's rows in memory that two threads share. Layout: protocol.ts, SharedStep. */
import { copyStep, type Program, type Step } from "../../ops/program.ts";
import type { SharedStep } from "./protocol.ts";

type StepShape = Pick<Program, "maxRows" | "maxOutputs">;

const header = 6;

export function createSharedStep({ maxRows, maxOutputs }: StepShape): SharedStep {
  return new SharedArrayBuffer(4 * (header + 3 * maxRows + maxOutputs));
}

/** A step whose arrays are views of the shared memory; `load` and `store` move the counts. */
export interface StepView {
  readonly step: Step;
  store(from: Step): void;
  load(): void;
}

export function viewSharedStep(shared: SharedStep, { maxRows, maxOutputs }: StepShape): StepView {
  const counts = new Int32Array(shared, 0, header);
  const array = (index: number, length: number): Int32Array =>
    new Int32Array(shared, 4 * (header + index * maxRows), length);
  const step: Step = {
    rowCount: 0,
    answerRows: 0,
    proposalRows: 0,
    sequence: array(0, maxRows),
    position: array(1, maxRows),
    token: array(2, maxRows),
    outputCount: 0,
    shownOutput: -1,
    shownRow: -1,
    outputRow: array(3, maxOutputs),
  };
  return {
    step,
    store: (from) => {
      copyStep(from, step);
      counts[0] = step.rowCount;
      counts[1] = step.answerRows;
      counts[2] = step.proposalRows;
      counts[3] = step.outputCount;
      counts[4] = step.shownOutput;
      counts[5] = step.shownRow;
    },
    load: () => {
      step.rowCount = counts[0] ?? 0;
      step.answerRows = counts[1] ?? 0;
      step.proposalRows = counts[2] ?? 0;
      step.outputCount = counts[3] ?? 0;
      step.shownOutput = counts[4] ?? -1;
      step.shownRow = counts[5] ?? -1;
    },
  };
}
