/** Who gets the rows of a step: fairness, starvation, slices and priorities, as pure arithmetic. */
import { describe, expect, it } from "vitest";
import { type Policy, type SeatView, type Share, type StepRoom, shareOut } from "./share-out.ts";

const writing: SeatView = { isAnswering: true, pending: 1, readable: 1, priority: 0 };
const ended: SeatView = { isAnswering: false, pending: 0, readable: 0, priority: 0 };

function reading(pending: number, more: Partial<SeatView> = {}): SeatView {
  return { isAnswering: false, pending, readable: pending, priority: 0, ...more };
}

/** "3", or "3!" where an output is wanted. */
function shared(
  seats: readonly SeatView[],
  room: Partial<StepRoom> = {},
  policy: Policy = { slice: 1000 },
): readonly string[] {
  const shares: Share[] = [];
  shareOut(seats, { rows: 8, outputs: seats.length, turn: 0, ...room }, policy, shares);
  return shares.map(({ rows, outputs }) => `${rows}${"!".repeat(outputs)}`);
}

/** Reads prompts step by step; for each, the step in which it ends. */
function stepsUntilRead(prompts: readonly number[], rows: number): readonly number[] {
  const left = [...prompts];
  const ends = prompts.map(() => 0);
  const shares: Share[] = [];
  for (let turn = 0; left.some((pending) => pending > 0); turn++) {
    const seats = left.map((pending) => reading(pending));
    shareOut(seats, { rows, outputs: seats.length, turn }, { slice: rows }, shares);
    for (const [i, { rows: read }] of shares.entries()) {
      left[i]! -= read;
      if (read > 0 && left[i] === 0) ends[i] = turn + 1;
    }
  }
  return ends;
}

describe("a step's rows", () => {
  it("go to answers first, one each, and to prompts for the rest", () => {
    expect(shared([reading(20), writing, writing])).toEqual(["6", "1!", "1!"]);
    expect(shared([writing, ended, writing])).toEqual(["1!", "0", "1!"]);
  });

  it("go to what answers had to say before prompts, but for a quarter", () => {
    const saying = (pending: number): SeatView => ({ ...writing, pending, readable: pending });
    expect(shared([saying(5)])).toEqual(["5!"]);
    expect(shared([saying(20)])).toEqual(["8"]);
    expect(shared([saying(3), saying(3)])).toEqual(["3!", "3!"]);
    expect(shared([saying(3), writing, saying(9)])).toEqual(["3!", "1!", "4"]);
    expect(shared([saying(3), saying(3), reading(20)])).toEqual(["3!", "3!", "2"]);
    expect(shared([saying(30), reading(20)])).toEqual(["6", "2"]);
    expect(shared([saying(30), writing], { rows: 100 }, { slice: 4 })).toEqual(["5", "1!"]);
    expect(shared([saying(5)], { rows: 1 })).toEqual(["1"]);
    expect(shared([{ ...saying(5), readable: 2 }])).toEqual(["2"]);
  });

  it("are a slice of prompts at most where answers are written beside", () => {
    expect(shared([writing, reading(20)], { rows: 100 }, { slice: 4 })).toEqual(["1!", "4"]);
    expect(shared([reading(20)], { rows: 100 }, { slice: 4 })).toEqual(["20!"]);
  });

  it("go half to the oldest prompt, and then to the shortest", () => {
    expect(shared([reading(20), reading(9), reading(3)])).toEqual(["4", "1", "3!"]);
    expect(shared([reading(20), reading(9), reading(4)])).toEqual(["4", "0", "4!"]);
    expect(shared([reading(20), reading(2), reading(1)])).toEqual(["5", "2!", "1!"]);
    expect(shared([reading(20)])).toEqual(["8"]);
  });

  it("stop where a checkpoint is due, and the others have the rest", () => {
    expect(shared([reading(20, { readable: 3 }), reading(30)])).toEqual(["3", "5"]);
  });

  it("are read up to the last one of a prompt where no output is left", () => {
    expect(shared([writing, reading(5), reading(4)], { outputs: 1 })).toEqual(["1!", "4", "3"]);
    expect(shared([writing, reading(1)], { outputs: 1 })).toEqual(["1!", "0"]);
    expect(shared([reading(2), reading(2)], { outputs: 1 })).toEqual(["2!", "1"]);
  });

  it("go to a higher priority before a shorter prompt", () => {
    expect(shared([reading(2), reading(20, { priority: 1 })])).toEqual(["0", "8"]);
    expect(shared([reading(2), reading(6, { priority: 1 })])).toEqual(["2!", "6!"]);
  });
});

describe("nobody waits for ever:", () => {
  it("a short prompt is read with the first step, whatever is read before it", () => {
    expect(stepsUntilRead([200, 100, 4], 8)).toEqual([38, 26, 1]);
    // In their order where the oldest is the shortest, too.
    expect(stepsUntilRead([100, 200], 8)).toEqual([13, 38]);
  });

  it("a long prompt goes on beside any number of short ones", () => {
    const shorts = Array.from({ length: 50 }, () => 4);
    expect(stepsUntilRead([40, ...shorts], 8)[0]).toBe(10);
  });

  it("answers take turns where they have no room, and each is as often served", () => {
    const seats = Array.from({ length: 7 }, () => writing);
    const served = seats.map(() => 0);
    const shares: Share[] = [];
    for (let turn = 0; turn < 70; turn++) {
      shareOut(seats, { rows: 3, outputs: 7, turn }, { slice: 3 }, shares);
      for (const [i, { rows }] of shares.entries()) served[i]! += rows;
    }
    expect(served).toEqual(seats.map(() => 30));
  });

  it("a prompt is read though answers could take every row", () => {
    const seats = [...Array.from({ length: 9 }, () => writing), reading(5)];
    expect(shared(seats).at(-1)).toBe("2");
    expect(shared([writing, reading(5)], { rows: 1, turn: 0 })).toEqual(["1!", "0"]);
    expect(shared([writing, reading(5)], { rows: 1, turn: 1 })).toEqual(["0", "1"]);
  });
});

it("the shares are written into the objects of the step before", () => {
  const shares: Share[] = [];
  const room = { rows: 8, outputs: 2, turn: 0 };
  shareOut([writing, reading(3)], room, { slice: 8 }, shares);
  const before = [...shares];
  shareOut([writing, ended], room, { slice: 8 }, shares);
  expect(shares.map((share, i) => share === before[i])).toEqual([true, true]);
  expect(shares[1]).toEqual({ rows: 0, outputs: 0 });
});
