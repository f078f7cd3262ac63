/** Which answers begin together, seen at the steps of a scripted model. */
import { describe, expect, it } from "vitest";
import { answering } from "../../test/fixtures/scripted-answer.ts";
import { outputSlots, scriptedModel, vocabulary } from "../../test/fixtures/scripted-model.ts";
import { Scheduler } from "./scheduler.ts";
import { Session } from "./session.ts";

/** A prompt that shares its beginning with none of another `start`. */
function prompt(start: number, length: number): readonly number[] {
  return Array.from({ length }, (_, i) => (start + i) % vocabulary);
}

type Settings = Parameters<typeof answering>[1];

/** Of every step: its rows of answers, its rows of prompts. The prompts of a list come when their step begins. */
async function run(
  arriving: readonly (readonly [step: number, prompt: readonly number[], settings?: Settings])[],
  options: { readonly abort?: number; readonly sequences?: number } = {},
): Promise<{ readonly steps: readonly string[]; readonly tokens: readonly (readonly number[])[] }> {
  const answers = arriving.map(([, tokens, settings]) =>
    answering(tokens, { maxTokens: 2, ...settings }),
  );
  let scheduler: Scheduler | undefined;
  const model = scriptedModel({
    sequences: options.sequences ?? 4,
    onStep: (index) => {
      if (index === options.abort) answers.at(-1)?.finish("abort");
      for (const [i, [step]] of arriving.entries()) {
        const answer = answers[i];
        if (step === index && index > 0 && answer !== undefined) scheduler?.submit(answer);
      }
    },
  });
  scheduler = new Scheduler(await Session.open(model.backend, model.program, outputSlots));
  for (const [i, [step]] of arriving.entries()) {
    const answer = answers[i];
    if (step === 0 && answer !== undefined) scheduler.submit(answer);
  }
  const results = await Promise.all(answers.map(({ result }) => result));
  const steps = model.steps.map(({ rows, answers: own }) => `${own}+${rows.length - own}`);
  return { steps, tokens: results.map(({ tokens }) => tokens) };
}

describe("an answer", () => {
  it("begins when the prompts beside it are read that are about as long as its own", async () => {
    const { steps, tokens } = await run([
      [0, prompt(0, 6)],
      [0, prompt(5, 6)],
      [0, prompt(9, 12)],
    ]);
    expect(steps).toEqual(["0+4", "0+4", "0+4", "0+4", "0+4", "0+4", "3+0"]);
    expect(tokens).toEqual([
      [6, 7],
      [11, 12],
      [5, 6],
    ]);
  });

  it("waits for a prompt that came while its own was read", async () => {
    const { steps } = await run([
      [0, prompt(0, 4)],
      [0, prompt(9, 4)],
    ]);
    expect(steps).toEqual(["0+4", "0+4", "2+0"]);
    const { steps: later } = await run([
      [0, prompt(0, 8)],
      [1, prompt(9, 8)],
    ]);
    expect(later).toEqual(["0+4", "0+4", "0+4", "0+4", "2+0"]);
  });

  it("does not wait for a long prompt or one of lower priority, nor where another one is being written", async () => {
    const long = await run([
      [0, prompt(0, 3)],
      [0, prompt(9, 9)],
    ]);
    expect(long.steps).toEqual(["0+3", "1+3", "0+4", "0+2", "1+0"]);
    const important = await run([
      [0, prompt(0, 3), { priority: 1 }],
      [0, prompt(9, 4)],
    ]);
    expect(important.steps).toEqual(["0+3", "1+3", "0+1", "1+0"]);
    const writing = await run([
      [0, prompt(0, 2), { maxTokens: 8 }],
      [1, prompt(5, 4)],
      [1, prompt(9, 4)],
    ]);
    expect(writing.steps.slice(0, 4)).toEqual(["0+2", "1+0", "1+3", "1+3"]);
    expect(writing.steps[4]).toBe("2+2");
  });

  it("begins when the prompt that it waits for has been given up, by whatever it is decided", async () => {
    for (const settings of [
      {},
      { sampling: { temperature: 1, topK: 1, seed: 1 } },
      { logprobs: 1 },
    ] as const) {
      const { steps, tokens } = await run(
        [
          [0, prompt(0, 4), settings],
          [0, prompt(9, 8)],
        ],
        { abort: 2 },
      );
      expect(steps).toEqual(["0+4", "0+4", "0+4", "1+0"]);
      expect(tokens).toEqual([[4, 5], []]);
    }
  });

  it("waits for no more prompts that come one after the other than there are sequences", async () => {
    const { steps } = await run(
      [
        [0, prompt(0, 5)],
        [0, prompt(3, 10)],
        [2, prompt(6, 10)],
        [0, prompt(9, 10)],
      ],
      { sequences: 3, abort: 2 },
    );
    expect(steps.slice(0, 5)).toEqual(["0+4", "0+4", "0+4", "0+4", "2+2"]);
  });
});
