/**
 * A program: everything a backend must know to run a model (or its part of one), shapes fixed.
 * A step is one run over rows {sequence, position, token}: prefill, decode and batches differ only in their rows.
 */
import type { KvShape } from "./kv-shape.ts";
import type { Op, Slot } from "./op.ts";

/** The ops between two synchronisations. `outputs` are copied to the host when the segment has run. */
export interface Segment {
  readonly name: string;
  readonly ops: readonly Op[];
  readonly outputs: readonly Slot[];
  /** The ops of each layer of the model: code that places layers on several devices cuts here. */
  readonly layers?: readonly OpRange[];
  /**
   * A device with memory of its own does not keep this segment's matrices: each run brings them, piece by piece. Subsets
   * of its blocks and experts are read anew by each run, and nothing else changes them. Others ignore it. Default false.
   */
  readonly isStreamed?: boolean;
}

/** Ops [first, end) of a segment. */
export interface OpRange {
  readonly first: number;
  readonly end: number;
}

export interface Program {
  readonly slots: readonly Slot[];
  readonly kv: KvShape;
  readonly segments: readonly Segment[];
  /** A step has at most so many rows. */
  readonly maxRows: number;
  /** At most so many rows of a step want an output. */
  readonly maxOutputs: number;
}

/** What a row is read for: a prompt's tokens, the token that an answer goes on from, or a proposal that is checked. */
export type RowPurpose = "prompt" | "answer" | "proposal";

/** Those that say more about the writing of answers come first. */
export const rowPurposes: readonly RowPurpose[] = ["answer", "proposal", "prompt"];

/**
 * The rows of one step. Arrays have room for maxRows; the first `rowCount` count. Rows of answers come first, then
 * proposals, then prompts; rows of one sequence stand in rising order of position. All of a step's keys and values are
 * stored before attention reads them.
 */
export interface Step {
  rowCount: number;
  /** The first rows of the step: what answers have said. The last of a sequence wants an output, unless more is to be read first. */
  answerRows: number;
  /** Rows behind those of answers. Each wants an output. */
  proposalRows: number;
  readonly sequence: Int32Array;
  readonly position: Int32Array;
  readonly token: Int32Array;
  outputCount: number;
  /** The output, and its row, whose active sets somebody looks at; −1: nobody. */
  shownOutput: number;
  shownRow: number;
  /** Rows that want an output, rising. */
  readonly outputRow: Int32Array;
}

export function createStep(maxRows: number, maxOutputs: number): Step {
  return {
    rowCount: 0,
    answerRows: 0,
    proposalRows: 0,
    sequence: new Int32Array(maxRows),
    position: new Int32Array(maxRows),
    token: new Int32Array(maxRows),
    outputCount: 0,
    shownOutput: -1,
    shownRow: -1,
    outputRow: new Int32Array(maxOutputs),
  };
}

/** Before rows are added. */
export function emptyStep(step: Step): void {
  step.rowCount = 0;
  step.answerRows = 0;
  step.proposalRows = 0;
  step.outputCount = 0;
  step.shownOutput = -1;
  step.shownRow = -1;
}

/** What a step is run for: for prompts if any row reads one, else for proposals if it checks any, else for answers alone. */
export function purposeOf({ rowCount, answerRows, proposalRows }: Step): RowPurpose {
  if (answerRows + proposalRows < rowCount) return "prompt";
  return proposalRows > 0 ? "proposal" : "answer";
}

/** Rows whose tokens a text has, or gets by its answer: proposals may be refused. */
export function tokensOf({ rowCount, proposalRows }: Step): number {
  return rowCount - proposalRows;
}

/** Rows whose single neurons are counted: those of answers, in a step that reads no prompt. */
export function watchedRows(step: Step): number {
  return purposeOf(step) === "prompt" ? 0 : step.answerRows;
}

/** Into a step of the same size. */
export function copyStep(from: Step, to: Step): void {
  to.rowCount = from.rowCount;
  to.answerRows = from.answerRows;
  to.proposalRows = from.proposalRows;
  to.sequence.set(from.sequence);
  to.position.set(from.position);
  to.token.set(from.token);
  to.outputCount = from.outputCount;
  to.shownOutput = from.shownOutput;
  to.shownRow = from.shownRow;
  to.outputRow.set(from.outputRow);
}
