/** How large a slice of prompts is beside answers, for machines of known speeds. */
import { describe, expect, it } from "vitest";
import { SliceByTime } from "./slice-by-time.ts";

/** After steps on a machine whose answers take `answers` ms a step and whose prompts `row` ms a row. */
function learnt(answers: number, row: number): SliceByTime {
  const slices = new SliceByTime(128);
  slices.noteStep({ answers: 0, prompts: 100, took: 100 * row });
  for (let i = 0; i < 9; i++) slices.noteStep({ answers: 4, prompts: 0, took: answers });
  return slices;
}

describe("a slice of prompts beside answers", () => {
  it("is a whole step before anything is known, and where a whole step is not noticed", () => {
    expect(new SliceByTime(128).slice).toBe(128);
    expect(learnt(5, 0.2).slice).toBe(128);
  });

  it("takes as long as the answers' own part, or what is left of a time that nobody notices", () => {
    expect(learnt(60, 1).slice).toBe(60);
    expect(learnt(10, 1).slice).toBe(30);
  });

  it("is never so small that prompts stand still", () => {
    expect(learnt(100, 50).slice).toBe(8);
    const few = new SliceByTime(4);
    few.noteStep({ answers: 0, prompts: 4, took: 400 });
    expect(few.slice).toBe(4);
  });

  it("follows steps that read both, and few rows say nothing", () => {
    const slices = learnt(60, 1);
    for (let i = 0; i < 30; i++) slices.noteStep({ answers: 4, prompts: 30, took: 120 });
    expect(slices.slice).toBe(30);
    slices.noteStep({ answers: 4, prompts: 7, took: 1000 });
    slices.noteStep({ answers: 4, prompts: 30, took: 10 });
    expect(slices.slice).toBe(30);
  });
});
