/**
 * FfnCounts of a program on the GPU. Active neurons are counted there and arrive with the segment's outputs; times
 * of single ops are not measured, since a timestamp between dispatches would hold up the queue. Which experts rows were routed
 * to stays on the card; how many of them a part of a layer's experts has, is counted there.
 */

import type { Bytes } from "../../core/units.ts";
import { expertBlock, routeCount } from "../../ops/expert-stack.ts";
import { candidateCount, ffnBytes } from "../../ops/ffn-bytes.ts";
import type { OpOf } from "../../ops/op.ts";
import type { FfnCounts } from "../backend.ts";
import type { RecordedSegment } from "./recording.ts";
import type { RunShape } from "./run-shape.ts";

export interface FfnCounter {
  /** The segment was submitted: its dense blocks computed everything, and of its experts those that rows were routed to. */
  ran(segment: RecordedSegment, shape: RunShape): void;
  /** What its sparse blocks and its parts of experts computed: u32 [rows, blocks]. Of a block of outputs, the first rows count. */
  counted(segment: RecordedSegment, counts: Uint32Array, shape: CountedRows): void;
  take(): readonly FfnCounts[];
}

type CountedRows = Pick<RunShape, "rows" | "outputs">;

interface RunTotals {
  active: number;
  rows: number;
  bytes: number;
  runs: number;
}

export function createFfnCounter(segments: readonly RecordedSegment[]): FfnCounter {
  const tallies = new Map<OpOf<"ffn" | "experts">, RunTotals>(
    segments
      .flatMap(({ dense, sparse, experts }) => [...dense, ...sparse, ...experts])
      .map((op) => [op, { active: 0, rows: 0, bytes: 0, runs: 0 }]),
  );
  const expertBytes = new Map(
    [...tallies.keys()].flatMap((op) => (op.kind === "experts" ? [[op, bytesOfExpert(op)]] : [])),
  );
  const begun = (op: OpOf<"ffn" | "experts">, rows: number): RunTotals | undefined => {
    const tally = rows === 0 ? undefined : tallies.get(op);
    if (tally === undefined) return undefined;
    tally.rows += rows;
    tally.runs++;
    return tally;
  };
  const addRun = (op: OpOf<"ffn">, active: number, rows: number): void => {
    const tally = begun(op, rows);
    if (tally === undefined) return;
    tally.active += active;
    // With several rows the union of their sets is not known: at most all of them, each read once.
    const all = candidateCount(op.block);
    const used = Math.min(active, all);
    const down = op.block.down.layout === "rows" ? used : all;
    tally.bytes += ffnBytes(op.block, { active: used, down });
  };
  const addExperts = (op: OpOf<"experts">, active: number, rows: number): void => {
    const tally = begun(op, rows);
    if (tally === undefined) return;
    tally.active += active;
    // Here too: at most all experts.
    const chosen = Math.min(active / op.stack.neurons, expertCount(op));
    tally.bytes += chosen * (expertBytes.get(op) ?? 0);
  };
  const rowsOf = (op: OpOf<"ffn" | "experts">, shape: CountedRows): number =>
    op.x.rows === "step" ? shape.rows : shape.outputs;
  return {
    ran: ({ dense, experts }, shape) => {
      for (const op of dense) {
        const rows = rowsOf(op, shape);
        addRun(op, rows * candidateCount(op.block), rows);
      }
      for (const op of experts) {
        const rows = rowsOf(op, shape);
        addExperts(op, rows * routeCount(op.routes) * op.stack.neurons, rows);
      }
    },
    counted: ({ sparse }, counts, shape) => {
      let i = 0;
      for (const op of sparse) {
        const rows = rowsOf(op, shape);
        let active = 0;
        for (let row = 0; row < rows; row++) active += counts[row * sparse.length + i] ?? 0;
        if (op.kind === "ffn") addRun(op, active, rows);
        else addExperts(op, active, rows);
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

/** Experts that the op has. */
function expertCount({ stack, subset }: OpOf<"experts">): number {
  return subset?.length ?? stack.count;
}

function bytesOfExpert({ stack }: OpOf<"experts">): Bytes {
  const { neurons } = stack;
  return ffnBytes(expertBlock(stack, 0), { active: neurons, down: neurons });
}

function countsOf(
  op: OpOf<"ffn" | "experts">,
  { active, rows, bytes: bytesTouched }: RunTotals,
): FfnCounts {
  if (op.kind === "ffn") {
    const { layer } = op.block;
    return { layer, active, rows, neurons: candidateCount(op.block), bytesTouched };
  }
  const { layer, neurons: each } = op.stack;
  const neurons = expertCount(op) * each;
  return { layer, active, rows, neurons, bytesTouched, ofExperts: true };
}
