/** A state that cannot go back is never read on from another position than its own. */
import { describe, expect, it } from "vitest";
import { type KvShape, windowLayer } from "../ops/kv-shape.ts";
import type { Slot } from "../ops/op.ts";
import { createStep, type Program, type Step } from "../ops/program.ts";
import { span, stateModel } from "./conformance/cases-recurrent.ts";
import { type StepRow, stepOf } from "./conformance/program-builder.ts";
import { StatePositions } from "./state-positions.ts";

const shape = {
  conv: { positions: 1, channels: 12 },
  state: { heads: 1, rows: 4, columns: 4 },
  keyHeads: 1,
  keyRun: 1,
};
const { program } = stateModel(shape, { sequences: 3, maxRows: 16 });

function rows(of: Program, ...spans: readonly (readonly StepRow[])[]): Step {
  return stepOf(of, spans.flat());
}

describe("a sequence with a state", () => {
  it("goes on where its state stands, or begins again", () => {
    const positions = new StatePositions(program);
    positions.advance(0, rows(program, span(0, 0, 5), span(2, 0, 1)));
    positions.advance(0, rows(program, span(0, 5, 1), span(2, 1, 3)));
    positions.advance(0, rows(program, span(0, 0, 2)));
    expect(() => positions.advance(0, rows(program, span(0, 5, 1)))).toThrow(
      /sequence 0 goes on at position 5.*behind 2 positions.*from position 0/,
    );
    expect(() => positions.advance(0, rows(program, span(1, 3, 1)))).toThrow(/it has no state/);
  });

  it("is where it was when a step is refused", () => {
    const positions = new StatePositions(program);
    positions.advance(0, rows(program, span(0, 0, 4)));
    expect(() => positions.advance(0, rows(program, span(0, 4, 2), span(1, 7, 1)))).toThrow();
    positions.advance(0, rows(program, span(0, 4, 1)));
  });

  it("may skip no position within a step, nor go back", () => {
    const positions = new StatePositions(program);
    const gap = [...span(0, 0, 2), ...span(0, 3, 1)];
    expect(() => positions.advance(0, rows(program, gap))).toThrow(/behind 2 positions/);
    positions.advance(0, rows(program, span(0, 0, 4)));
    expect(() => positions.advance(0, rows(program, span(0, 2, 1)))).toThrow(/behind 4 positions/);
  });

  it("is copied with its state only as a whole", () => {
    const positions = new StatePositions(program);
    positions.advance(0, rows(program, span(0, 0, 4)));
    positions.copy(0, 1, 4);
    positions.copy(0, 2, 3);
    positions.advance(0, rows(program, span(1, 4, 1)));
    expect(() => positions.advance(0, rows(program, span(2, 3, 1)))).toThrow(/it has no state/);
  });

  it("goes back to where it was saved, in another sequence too", () => {
    const positions = new StatePositions(program);
    expect(() => positions.save(0, 1)).toThrow(/no state that could be saved/);
    expect(() => positions.restore(1, 0)).toThrow(/nothing was saved in slot 1/);
    positions.advance(0, rows(program, span(0, 0, 4)));
    expect(positions.save(0, 1)).toBe(program.kv.sequences + 1);
    positions.advance(0, rows(program, span(0, 4, 3)));
    expect(positions.restore(1, 0)).toBe(program.kv.sequences + 1);
    positions.restore(1, 2);
    positions.advance(0, rows(program, span(0, 4, 1), span(2, 4, 2)));
    expect(() => positions.save(0, 2)).toThrow(RangeError);
  });

  it("is not asked where a segment has no layer that forgets", () => {
    const plain: Program = { ...program, segments: [{ name: "plain", ops: [], outputs: [] }] };
    const step = createStep(4, 4);
    step.rowCount = 1;
    step.position[0] = 9;
    expect(() => new StatePositions(plain).advance(0, step)).not.toThrow();
  });
});

describe("a sequence with a ring", () => {
  /** A ring of 64 cells under a window of 40, in steps of at most 24 rows. */
  const kv: KvShape = {
    layers: [
      windowLayer(
        { kvHeads: 1, keyWidth: 4, valueWidth: 4, window: 40 },
        { contextLength: 200, maxRows: 24 },
      ),
    ],
    contextLength: 200,
    sequences: 2,
    checkpoints: 1,
    type: "f32",
  };
  const slot: Slot = { id: 0, name: "k", width: 4, rows: "step" };
  const ringProgram: Program = {
    slots: [slot],
    kv,
    segments: [
      { name: "store", ops: [{ kind: "store-kv", layer: 0, k: slot, v: slot }], outputs: [] },
    ],
    maxRows: 24,
    maxOutputs: 24,
  };
  const readingOf = (count: number): StatePositions => {
    const positions = new StatePositions(ringProgram);
    for (let at = 0; at < count; at += 24) {
      positions.advance(0, rows(ringProgram, span(0, at, Math.min(24, count - at))));
    }
    return positions;
  };

  it("goes back as far as the ring holds what a row sees, and no further", () => {
    const positions = readingOf(168);
    expect(() => positions.advance(0, rows(ringProgram, span(0, 142, 1)))).toThrow(
      /sequence 0 goes on at position 142.*rows from 143 to 168/,
    );
    positions.advance(0, rows(ringProgram, span(0, 143, 1)));
    // What was written over stays so, however far the sequence went back.
    expect(() => positions.advance(0, rows(ringProgram, span(0, 142, 1)))).toThrow(
      /from 143 to 168/,
    );
    positions.advance(0, rows(ringProgram, span(0, 0, 2)));
    positions.advance(0, rows(ringProgram, span(0, 1, 1)));
  });

  it("leaves no position out", () => {
    const positions = readingOf(30);
    expect(() => positions.advance(0, rows(ringProgram, span(0, 31, 1)))).toThrow(/from 0 to 30/);
    expect(() => positions.advance(0, rows(ringProgram, span(1, 1, 1)))).toThrow(/it has no state/);
  });

  it("goes back to a checkpoint, as far as the ring held positions then", () => {
    const positions = readingOf(70);
    positions.save(0, 0);
    for (let at = 70; at < 190; at += 24) positions.advance(0, rows(ringProgram, span(0, at, 24)));
    positions.copy(0, 1, 70);
    expect(() => positions.advance(0, rows(ringProgram, span(1, 70, 1)))).toThrow(
      /it has no state/,
    );
    for (const sequence of [0, 1]) {
      positions.restore(0, sequence);
      expect(() => positions.advance(0, rows(ringProgram, span(sequence, 44, 1)))).toThrow(
        /from 45 to 70/,
      );
      positions.advance(0, rows(ringProgram, span(sequence, 45, 1)));
    }
  });
});
