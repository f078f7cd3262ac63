/**
 * FfnCounts of a program on the GPU. Active neurons are counted there and arrive with the segment's outputs; times
 * of single ops are not measured, since a timestamp between dispatches would hold up the queue.
 */
import { candidateCount, ffnBytes } from "../../ops/ffn-bytes.ts";
import type { OpOf } from "../../ops/op.ts";
import type { FfnCounts } from "../backend.ts";
import type { RecordedSegment } from "./recording.ts";
import type { RunShape } from "./run-shape.ts";

export interface FfnCounter {
  /** The segment was submitted: its dense blocks computed everything. */
  ran(segment: RecordedSegment, shape: RunShape): void;
  /** What its sparse blocks computed: u32 [rows, blocks]. */
  counted(segment: RecordedSegment, counts: Uint32Array, rows: number): void;
  take(): readonly FfnCounts[];
}

interface RunTotals {
  active: number;
  rows: number;
  bytes: number;
  runs: number;
}

export function createFfnCounter(segments: readonly RecordedSegment[]): FfnCounter {
  const tallies = new Map<OpOf<"ffn">, RunTotals>(
    segments
      .flatMap(({ dense, sparse }) => [...dense, ...sparse])
      .map((op) => [op, { active: 0, rows: 0, bytes: 0, runs: 0 }]),
  );
  const addRun = (op: OpOf<"ffn">, active: number, rows: number): void => {
    const tally = tallies.get(op);
    if (tally === undefined || rows === 0) return;
    tally.active += active;
    tally.rows += rows;
    tally.runs++;
    // With several rows the union of their sets is not known: at most all of them, each read once.
    const all = candidateCount(op.block);
    const used = Math.min(active, all);
    const down = op.block.down.layout === "rows" ? used : all;
    tally.bytes += ffnBytes(op.block, { active: used, down });
  };
  return {
    ran: ({ dense }, shape) => {
      for (const op of dense) {
        const rows = op.x.rows === "step" ? shape.rows : shape.outputs;
        addRun(op, rows * candidateCount(op.block), rows);
      }
    },
    counted: ({ sparse }, counts, rows) => {
      let i = 0;
      for (const op of sparse) {
        let active = 0;
        for (let row = 0; row < rows; row++) active += counts[row * sparse.length + i] ?? 0;
        addRun(op, active, rows);
        i++;
      }
    },
    take: () => {
      const taken = [...tallies]
        .filter(([, { runs }]) => runs > 0)
        .map(([op, tally]) => countsOf(op, tally));
      for (const tally of tallies.values())
        Object.assign(tally, { active: 0, rows: 0, bytes: 0, runs: 0 });
      return taken.sort((a, b) => a.layer - b.layer);
    },
  };
}

function countsOf({ block }: OpOf<"ffn">, { active, rows, bytes }: RunTotals): FfnCounts {
  return {
    layer: block.layer,
    active,
    rows,
    neurons: candidateCount(block),
    bytesTouched: bytes,
  };
}
