/**
 * FfnCounts of a program on the GPU. Active neurons are counted there and arrive with the segment's outputs; times
 * of single ops are not measured, since a timestamp between dispatches would hold up the queue.
 */
import { rowBytes } from "../../core/dtype.ts";
import type { Bytes } from "../../core/units.ts";
import type { FfnBlock, OpOf, Weight } from "../../ops/op.ts";
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

interface Tally {
  active: number;
  rows: number;
  bytes: number;
  runs: number;
}

export function createFfnCounter(segments: readonly RecordedSegment[]): FfnCounter {
  const tallies = new Map<OpOf<"ffn">, Tally>(
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
    tally.bytes += bytesTouched(op.block, Math.min(active, neuronsOf(op.block)));
  };
  return {
    ran: ({ dense }, shape) => {
      for (const op of dense) {
        const rows = op.x.rows === "step" ? shape.rows : shape.outputs;
        addRun(op, rows * neuronsOf(op.block), rows);
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

function countsOf({ block }: OpOf<"ffn">, { active, rows, bytes }: Tally): FfnCounts {
  return {
    layer: block.layer,
    active,
    rows,
    neurons: neuronsOf(block),
    bytesTouched: bytes,
  };
}

function neuronsOf({ subset, neurons }: FfnBlock): number {
  return subset?.length ?? neurons;
}

/** Weight bytes of a step in which `used` neurons were active, by what the kernels of each method read. */
function bytesTouched(block: FfnBlock, used: number): Bytes {
  const { method, gate, up, down, dim } = block;
  const all = neuronsOf(block);
  const rowsOfUp = rowBytes(up.type, dim);
  const rowsOfGate = gate === undefined ? 0 : rowBytes(gate.type, dim);
  const perNeuron = weightBytes(down.weight) / block.neurons;
  const downBytes = perNeuron * (down.layout === "rows" ? used : all);
  switch (method.kind) {
    case "dense":
    case "threshold-output":
      return all * (rowsOfUp + rowsOfGate) + downBytes;
    case "gate":
    case "threshold-gate":
      return gate === undefined
        ? all * rowsOfUp + downBytes
        : all * rowsOfGate + used * rowsOfUp + downBytes;
    case "mlp": {
      const predictor =
        weightBytes(method.fc1) + all * rowBytes(method.fc2.type, method.fc2.columns);
      return predictor + used * (rowsOfUp + rowsOfGate) + downBytes;
    }
    case "sign":
      return (
        (method.signs.length / block.neurons) * all + used * (rowsOfUp + rowsOfGate) + downBytes
      );
    default:
      return method satisfies never;
  }
}

function weightBytes({ type, columns, rows }: Weight): Bytes {
  return rowBytes(type, columns) * rows;
}
