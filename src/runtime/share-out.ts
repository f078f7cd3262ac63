/**
 * How the room of a step is shared out among answers that are being written and prompts that are being read: the
 * scheduler's decision, as a function of what it sees. It knows no model and runs nothing.
 */
import type { Milliseconds, Tokens } from "../core/units.ts";

/** What the decision sees of one seat. Seats come in the order in which they were given. */
export interface SeatView {
  /** Whether its pending tokens are its answer's: one, or several that it had to say; else it reads a prompt. */
  readonly isAnswering: boolean;
  /** Tokens that wait to be read; the last of them wants an output. 0 for an answer that has ended. */
  readonly pending: Tokens;
  /** Of the pending tokens, those that may be read in one step: a checkpoint is saved behind them. */
  readonly readable: Tokens;
  /** Prompts of a higher one are read first. */
  readonly priority: number;
}

export interface StepRoom {
  readonly rows: Tokens;
  readonly outputs: number;
  /** Counts the steps: who comes first where not all have room. */
  readonly turn: number;
}

export interface Policy {
  /** Tokens of prompts in a step beside answers: no answer waits longer for its next token than such a step takes. */
  readonly slice: Tokens;
  /** Told of each step that ran. Absent where the slice does not go by that. */
  noteStep?(step: RanStep): void;
}

/** How long a step took. */
export interface RanStep {
  /** Rows of answers. */
  readonly answers: Tokens;
  /** Rows of prompts. */
  readonly prompts: Tokens;
  readonly took: Milliseconds;
}

/** What a seat gets: so many of its pending tokens are read, and so many outputs are wanted. */
export interface Share {
  rows: Tokens;
  outputs: number;
}

/**
 * Fills `shares[i]` for `seats[i]`; makes objects only where there are more seats than ever before.
 *
 * Answers come first, one row each; where not all of them have room, they take turns, and a quarter of the rows is left to
 * prompts. What answers had to say beyond that is read next, as far as a quarter is left again. Of the rows for prompts, half go to the oldest one of the highest priority, so that each is the oldest some
 * day, and the rest to those that have least to read, so that a short prompt does not wait for a long one.
 */
export function shareOut(
  seats: readonly SeatView[],
  room: StepRoom,
  policy: Policy,
  shares: Share[],
): void {
  while (shares.length < seats.length) shares.push({ rows: 0, outputs: 0 });
  let answers = 0;
  let prompts = 0;
  for (let i = 0; i < seats.length; i++) {
    const { isAnswering, pending } = seats[i] ?? nobody;
    if (isAnswering) answers++;
    else if (pending > 0) prompts++;
    clear(shares[i] ?? nothing);
  }
  const kept = prompts > 0 && answers >= room.rows ? leastForPrompts(room) : 0;
  const answered = Math.min(answers, room.outputs, room.rows - kept);
  if (answered > 0) giveToAnswers(seats, shares, { of: answers, answered, turn: room.turn });
  const left = room.rows - answered;
  const isAlone = answers === 0 || answers + prompts === 1;
  const rows = isAlone ? left : Math.min(left, policy.slice);
  const said = giveToStretches(seats, shares, prompts > 0 ? Math.floor((rows * 3) / 4) : rows);
  if (prompts === 0) return;
  giveToPrompts(seats, shares, { rows: rows - said, outputs: room.outputs - answered });
}

const nobody: SeatView = { isAnswering: false, pending: 0, readable: 0, priority: 0 };
const nothing: Share = { rows: 0, outputs: 0 };

function clear(share: Share): void {
  share.rows = 0;
  share.outputs = 0;
}

/** Of a step in which answers could take every row; where there is one row, it is theirs every other step. */
function leastForPrompts({ rows, turn }: StepRoom): Tokens {
  return rows > 1 ? Math.max(1, Math.floor(rows / 4)) : turn % 2;
}

/** Of `of` answers, the next `answered` in a circle: each turn begins where the one before ended. */
function giveToAnswers(
  seats: readonly SeatView[],
  shares: readonly Share[],
  room: { readonly of: number; readonly answered: number; readonly turn: number },
): void {
  const { of, answered, turn } = room;
  const first = answered < of ? (turn * answered) % of : 0;
  let place = 0;
  for (let i = 0; i < seats.length; i++) {
    const share = shares[i];
    if (share === undefined || seats[i]?.isAnswering !== true) continue;
    if ((place + of - first) % of < answered) {
      share.rows = 1;
      share.outputs = seats[i]?.pending === 1 ? 1 : 0;
    }
    place++;
  }
}

/** To answers that have a row, for more that they had to say. Returns how many rows were given. */
function giveToStretches(
  seats: readonly SeatView[],
  shares: readonly Share[],
  rows: Tokens,
): Tokens {
  let left = rows;
  for (let i = 0; i < seats.length; i++) {
    const { isAnswering, pending, readable } = seats[i] ?? nobody;
    const share = shares[i] ?? nothing;
    if (!isAnswering || share.rows === 0) continue;
    const given = Math.min(left, Math.min(pending, readable) - share.rows);
    share.rows += given;
    left -= given;
    if (share.rows === pending) share.outputs = 1;
  }
  return rows - left;
}

function giveToPrompts(
  seats: readonly SeatView[],
  shares: readonly Share[],
  room: { readonly rows: Tokens; readonly outputs: number },
): void {
  let { rows, outputs } = room;
  let most = Math.ceil(rows / 2);
  let next = nextPrompt(seats, shares, outputs, "oldest");
  while (rows > 0 && next >= 0) {
    const seat = seats[next] ?? nobody;
    const share = shares[next] ?? nothing;
    const given = Math.min(most, more(seat, share, outputs));
    share.rows += given;
    rows -= given;
    if (share.rows === seat.pending) {
      share.outputs = 1;
      outputs--;
    }
    most = rows;
    next = nextPrompt(seats, shares, outputs, "shortest");
  }
}

/** How many rows more a prompt can use; its last one only with an output. */
function more({ pending, readable }: SeatView, { rows }: Share, outputs: number): Tokens {
  return Math.min(readable, outputs > 0 ? pending : pending - 1) - rows;
}

/** The index of a prompt that can use a row; -1 where there is none. */
function nextPrompt(
  seats: readonly SeatView[],
  shares: readonly Share[],
  outputs: number,
  order: "oldest" | "shortest",
): number {
  let best = -1;
  for (let i = 0; i < seats.length; i++) {
    const seat = seats[i] ?? nobody;
    const share = shares[i] ?? nothing;
    if (seat.isAnswering || more(seat, share, outputs) <= 0) continue;
    const other = seats[best];
    const isShorter = other !== undefined && order === "shortest" && seat.pending < other.pending;
    const isBefore =
      other === undefined ||
      seat.priority > other.priority ||
      (seat.priority === other.priority && isShorter);
    if (isBefore) best = i;
  }
  return best;
}
