/** Collects FfnCounts of the FFN ops of a program, and counts of single neurons once they are asked for. */
import type { Milliseconds } from "../../core/units.ts";
import { candidateCount, ffnBytes } from "../../ops/ffn-bytes.ts";
import type { FfnBlock, OpOf } from "../../ops/op.ts";
import { candidatesOf } from "../../ops/program-ops.ts";
import type { ActiveSet, FfnCounts, NeuronCounts } from "../backend.ts";

export interface FfnCounter {
  /** One row of the op now running used these neurons. */
  row(op: OpOf<"ffn">, active: Uint32Array): void;
  /** The op has run all rows of its step. */
  finish(op: OpOf<"ffn">, time: Milliseconds): void;
  /** The sums since the last call, in order of layer. */
  take(): readonly FfnCounts[];
  /** As `row`, for the counts of single neurons: a row that an answer goes on from. */
  answerRow(op: OpOf<"ffn">, active: Uint32Array): void;
  takeNeurons(): readonly NeuronCounts[];
  /** The row that the step shows used these neurons, or experts. */
  showNeurons(op: OpOf<"ffn">, active: Uint32Array): void;
  showExperts(op: OpOf<"experts">, chosen: Uint32Array): void;
  takeShown(): readonly ActiveSet[];
}

interface BlockUse {
  /** By neuron: whether a row of this step used it. */
  readonly used: Uint8Array;
  usedCount: number;
  active: number;
  rows: number;
  bytes: number;
  time: number;
  runs: number;
}

export function createFfnCounter(ops: readonly OpOf<"ffn">[]): FfnCounter {
  const fresh = (op: OpOf<"ffn">): BlockUse => ({
    used: new Uint8Array(op.block.neurons),
    usedCount: 0,
    active: 0,
    rows: 0,
    bytes: 0,
    time: 0,
    runs: 0,
  });
  const tallies = new Map(ops.map((op) => [op, fresh(op)]));
  return {
    ...createNeuronCounter(ops),
    ...createShownSets(),
    row: (op, active) => {
      const tally = tallies.get(op)!;
      tally.rows++;
      tally.active += active.length;
      for (const neuron of active) {
        if (tally.used[neuron] === 0) tally.usedCount++;
        tally.used[neuron] = 1;
      }
    },
    finish: (op, time) => {
      const tally = tallies.get(op)!;
      const { usedCount } = tally;
      tally.bytes += ffnBytes(op.block, { active: usedCount, down: usedCount });
      tally.time += time;
      tally.runs++;
      tally.used.fill(0);
      tally.usedCount = 0;
    },
    take: () => {
      const counts = [...tallies].filter(([, tally]) => tally.runs > 0);
      for (const [op] of counts) tallies.set(op, fresh(op));
      return counts
        .map(([op, tally]) => countsOf(op.block, tally))
        .sort((a, b) => a.layer - b.layer);
    },
  };
}

/** A block that computes all neurons chooses none to be shown. */
function createShownSets(): Pick<FfnCounter, "showNeurons" | "showExperts" | "takeShown"> {
  let sets: ActiveSet[] = [];
  return {
    showNeurons: ({ block: { layer, method } }, active) => {
      if (method.kind !== "dense") sets.push({ layer, ids: active.slice() });
    },
    showExperts: ({ stack: { layer } }, ids) => sets.push({ layer, ofExperts: true, ids }),
    takeShown: () => {
      const taken = sets.sort((a, b) => a.layer - b.layer);
      sets = [];
      return taken;
    },
  };
}

/** By id of the neuron, from the first taking on. */
function createNeuronCounter(
  ops: readonly OpOf<"ffn">[],
): Pick<FfnCounter, "answerRow" | "takeNeurons"> {
  let tallies = new Map<OpOf<"ffn">, { rows: number; readonly active: Uint32Array }>();
  return {
    answerRow: (op, active) => {
      const tally = tallies.get(op);
      if (tally === undefined) return;
      tally.rows++;
      for (const neuron of active) tally.active[neuron]!++;
    },
    takeNeurons: () => {
      const taken = [...tallies].filter(([, { rows }]) => rows > 0);
      tallies = new Map(
        ops.map((op) => [op, { rows: 0, active: new Uint32Array(op.block.neurons) }]),
      );
      return taken.map(([{ block }, { rows, active }]) => {
        const neurons = candidatesOf(block);
        return { layer: block.layer, rows, neurons, active: neurons.map((id) => active[id]!) };
      });
    },
  };
}

/** The reference predicts row by row inside the op and does not time the predictor apart. */
function countsOf(block: FfnBlock, tally: BlockUse): FfnCounts {
  return {
    layer: block.layer,
    active: tally.active,
    rows: tally.rows,
    neurons: candidateCount(block),
    bytesTouched: tally.bytes,
    time: tally.time,
  };
}
