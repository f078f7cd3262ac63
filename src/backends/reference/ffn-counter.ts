/** Collects FfnCounts of the FFN ops of a program, and counts of single neurons once they are asked for. */
import { rowBytes } from "../../core/dtype.ts";
import type { Milliseconds } from "../../core/units.ts";
import type { FfnBlock, OpOf } from "../../ops/op.ts";
import { candidatesOf } from "../../ops/program-ops.ts";
import type { FfnCounts, NeuronCounts } from "../backend.ts";
import { storedBytes } from "./weights.ts";

export interface FfnCounter {
  /** One row of the op now running used these neurons. */
  row(op: OpOf<"ffn">, active: Uint32Array): void;
  /** The op has run all rows of its step. */
  finish(op: OpOf<"ffn">, time: Milliseconds): void;
  /** The sums since the last call, in order of layer. */
  take(): readonly FfnCounts[];
  /** As `row`, for the counts of single neurons: a row of a step that writes answers. */
  answerRow(op: OpOf<"ffn">, active: Uint32Array): void;
  takeNeurons(): readonly NeuronCounts[];
}

interface Tally {
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
  const fresh = (op: OpOf<"ffn">): Tally => ({
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
      tally.bytes += bytesTouched(op.block, tally.usedCount);
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
function countsOf(block: FfnBlock, tally: Tally): FfnCounts {
  return {
    layer: block.layer,
    active: tally.active,
    rows: tally.rows,
    neurons: block.subset?.length ?? block.neurons,
    bytesTouched: tally.bytes,
    time: tally.time,
  };
}

/** Bytes of a step in which `used` neurons reached the down projection, each weight read once for all rows. */
function bytesTouched(block: FfnBlock, used: number): number {
  const { method } = block;
  const scored = block.subset?.length ?? block.neurons;
  const rowsOfUp = rowBytes(block.up.type, block.dim);
  const rowsOfGate = block.gate === undefined ? 0 : rowBytes(block.gate.type, block.dim);
  const down = (storedBytes(block.down.weight) / block.neurons) * used;
  switch (method.kind) {
    case "dense":
    case "threshold-output":
      return scored * (rowsOfUp + rowsOfGate) + down;
    case "gate":
    case "threshold-gate":
      return block.gate === undefined
        ? scored * rowsOfUp + down
        : scored * rowsOfGate + used * rowsOfUp + down;
    case "mlp": {
      const predictor =
        storedBytes(method.fc1) + scored * rowBytes(method.fc2.type, method.fc2.columns);
      return predictor + used * (rowsOfUp + rowsOfGate) + down;
    }
    case "sign":
      return (method.signs.length / block.neurons) * scored + used * (rowsOfUp + rowsOfGate) + down;
    default:
      return method satisfies never;
  }
}
