/**
 * How long a segment takes on the card alone. Runs are queued one behind the other, so that the card never waits for the host,
 * and the time of a read-back alone is subtracted. Through the backend's interface: kernels may change.
 */
import type { Executable } from "../../src/backends/backend.ts";
import { median } from "../../src/core/numbers.ts";
import type { Step } from "../../src/ops/program.ts";
import type { Mode } from "./result.ts";

export interface TimedWork {
  readonly executable: Executable;
  readonly segment: number;
  /** A segment without ops that reads a small slot back: it arrives when all before it is done. */
  readonly barrier: number;
  readonly step: Step;
}

/** Measured until `seconds` drown what submitting varies by; the median of `rounds`. */
export interface Patience {
  readonly seconds: number;
  readonly rounds: number;
}

export const patienceOf: Readonly<Record<Mode, Patience>> = {
  full: { seconds: 0.03, rounds: 5 },
  short: { seconds: 0.005, rounds: 3 },
};

/** A step's uniforms are written for each run: more than this many in flight are no better. */
const mostRuns = 1024;

/** Seconds of one run of the segment. */
export async function secondsPerRun(
  work: TimedWork,
  { seconds, rounds }: Patience,
): Promise<number> {
  await timeRuns(work, 1);
  const empty = await medianOf(rounds, () => timeRuns(work, 0));
  let runs = 1;
  for (;;) {
    const taken = (await timeRuns(work, runs)) - empty;
    if (taken >= seconds || runs >= mostRuns) break;
    runs = Math.min(
      mostRuns,
      Math.max(2 * runs, Math.ceil((runs * seconds) / Math.max(taken, 1e-5))),
    );
  }
  const taken = await medianOf(rounds, () => timeRuns(work, runs));
  return Math.max(taken - empty, 1e-9) / runs;
}

async function timeRuns(
  { executable, segment, barrier, step }: TimedWork,
  runs: number,
): Promise<number> {
  const began = performance.now();
  const all: Promise<void>[] = [];
  for (let i = 0; i < runs; i++) all.push(executable.run(segment, step));
  all.push(executable.run(barrier, step));
  await Promise.all(all);
  return (performance.now() - began) / 1000;
}

async function medianOf(rounds: number, take: () => Promise<number>): Promise<number> {
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) taken.push(await take());
  return median(taken);
}
