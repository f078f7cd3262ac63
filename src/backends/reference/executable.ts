/**
 * Runs the segments of a program in the order of the calls. Work is queued behind a promise; between a few rows
 * it pauses when the event loop has been held too long.
 */
import { HearthError } from "../../core/errors.ts";
import { routeCount } from "../../ops/expert-stack.ts";
import type { Op, OpOf, Slot } from "../../ops/op.ts";
import { type Program, type Step, watchedRows } from "../../ops/program.ts";
import { changeableSubsets, changedSubset, opsOfKind } from "../../ops/program-ops.ts";
import type { Executable, MemoryUse, NeuronChange } from "../backend.ts";
import { StatePositions } from "../state-positions.ts";
import { createFfnCounter, type FfnCounter } from "./ffn-counter.ts";
import { readPart, writePart } from "./host-states.ts";
import type { Pacer } from "./pacer.ts";
import { copyStates } from "./recurrent-state.ts";
import { opRows, runOp } from "./run-op.ts";
import { type ReferenceState, rowsOf } from "./state.ts";

/** Rows of an op computed between two looks at the clock; matmul shares its weight loads among four. */
const tileRows = 4;

export function createExecutable(
  program: Program,
  state: ReferenceState,
  pacer: Pacer,
): Executable {
  const blocks = opsOfKind(program, "ffn");
  const counter = createFfnCounter(blocks);
  const outputs = new Map<number, Float32Array>();
  const positions = new StatePositions(program);
  const copyPlace = (from: number, to: number): void => {
    state.kv.copyPlace(from, to);
    copyStates(state.recurrent, from, to);
  };
  const { enqueue, dispose } = createQueue();
  return {
    memory: memoryUse(state),
    counts: "neurons",
    canReplaceNeurons: true,
    run: (segment, step) => {
      const rows = structuredClone(step);
      const { ops, outputs: wanted } = program.segments[segment]!;
      return enqueue(async () => {
        positions.advance(segment, rows);
        for (const op of ops) await runAllRows(op, state, { step: rows, counter, pacer });
        for (const slot of wanted) outputs.set(slot.id, hostCopy(slot, state, rows));
      });
    },
    output: (slot) => {
      const data = outputs.get(slot.id);
      if (data !== undefined) return data;
      throw new HearthError(`slot ${slot.name} is not an output of a segment that has run`);
    },
    write: (slot, data) => {
      const copied = data.slice();
      void enqueue(() => state.slots[slot.id]!.set(copied)).catch(() => {});
    },
    copySequence: (from, to, length) =>
      enqueue(() => {
        positions.copy(from, to, length);
        state.kv.copySequence(from, to, length);
        copyStates(state.recurrent, from, to);
      }),
    saveState: (sequence, slot) =>
      enqueue(() => copyPlace(sequence, positions.save(sequence, slot))),
    restoreState: (slot, sequence) =>
      enqueue(() => copyPlace(positions.restore(slot, sequence), sequence)),
    readState: (at, part) => enqueue(() => readPart(state, at.place, part)),
    writeState: (at, part, bytes) =>
      enqueue(() => {
        writePart(state, { place: at.place, bytes }, part);
        positions.wrote(at.place, part.layer, at.length);
      }),
    finished: () => enqueue(() => {}),
    ffnCounts: () => counter.take(),
    channelCounts: () => [],
    report: async () => ({ timeline: [] }),
    neuronCounts: async () => counter.takeNeurons(),
    shownRow: async () => ({ sets: counter.takeShown(), timeline: [] }),
    replaceNeurons: (change) => enqueue(() => replaceNeurons(program, change)),
    [Symbol.dispose]: dispose,
  };
}

interface Queue {
  /** Does the work behind all that was asked for before. */
  enqueue<Result>(work: () => Promise<Result> | Result): Promise<Result>;
  /** What has not begun fails. */
  dispose(): void;
}

function createQueue(): Queue {
  let last: Promise<unknown> = Promise.resolve();
  let isDisposed = false;
  return {
    enqueue: (work) => {
      const done = last.then(() => {
        if (isDisposed) throw new HearthError("the executable was disposed before this call ran");
        return work();
      });
      last = done.catch(() => {});
      return done;
    },
    dispose: () => {
      isDisposed = true;
    },
  };
}

function replaceNeurons(program: Program, change: NeuronChange): void {
  for (const subset of changeableSubsets(program, change)) {
    subset?.set(changedSubset(subset, change));
  }
}

async function runAllRows(
  op: Op,
  state: ReferenceState,
  run: { readonly step: Step; readonly counter: FfnCounter; readonly pacer: Pacer },
): Promise<void> {
  const rows = opRows(op, run.step);
  const start = performance.now();
  // Rows of answers are the first ones, of outputs too.
  let watchedLeft = watchedRows(run.step);
  let row = 0;
  const onFfnRow = (active: Uint32Array): void => {
    if (op.kind !== "ffn") return;
    if (row++ === shownOf(op, run.step)) run.counter.showNeurons(op, active);
    run.counter.row(op, active);
    if (watchedLeft-- > 0) run.counter.answerRow(op, active);
  };
  for (let first = 0; first < rows; first += tileRows) {
    const end = Math.min(first + tileRows, rows);
    runOp(op, state, { step: run.step, first, end }, onFfnRow);
    if (run.pacer.isDue()) await run.pacer.pause();
  }
  if (op.kind === "ffn") run.counter.finish(op, performance.now() - start);
  if (op.kind === "experts") showExperts(op, state, run);
}

function shownOf({ out }: OpOf<"ffn" | "experts">, { shownRow, shownOutput }: Step): number {
  return out.rows === "outputs" ? shownOutput : shownRow;
}

function showExperts(
  op: OpOf<"experts">,
  state: ReferenceState,
  { step, counter }: { readonly step: Step; readonly counter: FfnCounter },
): void {
  const shown = shownOf(op, step);
  if (shown < 0) return;
  const { width } = op.routes;
  const first = shown * width;
  const ids = state.slots[op.routes.id]!.subarray(first, first + routeCount(op.routes));
  counter.showExperts(op, Uint32Array.from(ids).sort());
}

function hostCopy(slot: Slot, state: ReferenceState, step: Step): Float32Array {
  return state.slots[slot.id]!.slice(0, rowsOf(slot, step) * slot.width);
}

function memoryUse(state: ReferenceState): MemoryUse {
  const bytes = (arrays: Iterable<Float32Array>): number => {
    let sum = 0;
    for (const data of new Set(arrays)) sum += data.byteLength;
    return sum;
  };
  return {
    mappedWeights: 0,
    copiedWeights: bytes(state.weights.values()),
    kvCache: bytes(
      [...state.kv.layers, ...state.recurrent].flatMap((layer) => {
        if (layer === undefined) return [];
        return "keys" in layer
          ? [layer.keys.data, layer.values.data]
          : [layer.inputs, layer.matrices];
      }),
    ),
    scratch: bytes(state.slots),
  };
}
