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

export interface RunTime {
  /** Seconds of one run of the segment. */
  readonly seconds: number;
  /** Recording took nearly all of it: the card waited for the host, and is faster than this. */
  readonly isHostBound: boolean;
}

/** Share of the time that recording may take before it, not the card, is what was measured. */
const hostBound = 0.8;

export async function timePerRun(work: TimedWork, { seconds, rounds }: Patience): Promise<RunTime> {
  await timeRuns(work, 1);
  const empty = await medianOf(rounds, work, 0);
  let runs = 1;
  for (;;) {
    const taken = (await timeRuns(work, runs)).seconds - empty.seconds;
    if (taken >= seconds || runs >= mostRuns) break;
    const wanted = Math.ceil((runs * seconds) / Math.max(taken, 1e-5));
    runs = Math.min(mostRuns, Math.max(2 * runs, wanted));
  }
  const all = await medianOf(rounds, work, runs);
  const taken = Math.max(all.seconds - empty.seconds, 1e-9);
  return { seconds: taken / runs, isHostBound: all.recording > hostBound * taken };
}

/** What to say of a time that the host decided. */
export function hostNote(name: string): string {
  return `${name}: recording takes as long as the card, which is faster than measured here`;
}

interface Taken {
  readonly seconds: number;
  /** Until the last call of run came back. */
  readonly recording: number;
}

async function timeRuns(work: TimedWork, runs: number): Promise<Taken> {
  const { executable, segment, barrier, step } = work;
  const began = performance.now();
  const all: Promise<void>[] = [];
  for (let i = 0; i < runs; i++) all.push(executable.run(segment, step));
  all.push(executable.run(barrier, step));
  const recording = (performance.now() - began) / 1000;
  await Promise.all(all);
  return { seconds: (performance.now() - began) / 1000, recording };
}

async function medianOf(rounds: number, work: TimedWork, runs: number): Promise<Taken> {
  const taken: Taken[] = [];
  for (let round = 0; round < rounds; round++) taken.push(await timeRuns(work, runs));
  return {
    seconds: median(taken.map(({ seconds }) => seconds)),
    recording: median(taken.map(({ recording }) => recording)),
  };
}
