/** One caller's trouble is his alone: what his callbacks, detokenizer or readers do ends his answer and no other. */
import { describe, expect, it } from "vitest";
import { outputSlots, scriptedModel, vocabulary } from "../../test/fixtures/scripted-model.ts";
import type { CompileOptions } from "../backends/backend.ts";
import { HearthError } from "../core/errors.ts";
import { ActiveGeneration } from "./generation.ts";
import type { GenerationSettings } from "./generation-settings.ts";
import { Generation } from "./generation-stream.ts";
import { resolveSampling } from "./sampling/sampling-options.ts";
import { Scheduler } from "./scheduler.ts";
import { Session } from "./session.ts";

const trouble = new Error("the caller's own");
const throwing = (): never => {
  throw trouble;
};

type TokenTexts = ConstructorParameters<typeof ActiveGeneration>[2];
const plain: TokenTexts = { push: (token) => `${token} `, hiddenText: () => "", end: () => "" };

function answering(
  prompt: readonly number[],
  settings: Partial<GenerationSettings> = {},
  detokenizer: Partial<TokenTexts> = {},
): ActiveGeneration {
  return new ActiveGeneration(
    prompt,
    {
      maxTokens: 3,
      stop: [],
      endTokens: new Set(),
      whenFull: "finish",
      vocabulary,
      sampling: resolveSampling({ temperature: 0 }, vocabulary),
      ...settings,
    },
    { ...plain, ...detokenizer },
  );
}

async function schedule(): Promise<Scheduler> {
  const { backend, program } = scriptedModel({});
  return new Scheduler(await Session.open(backend, program, outputSlots));
}

async function drain({ chunks }: ActiveGeneration): Promise<void> {
  for await (const chunk of chunks) expect(chunk.text).not.toBe("");
}

interface Troubled {
  readonly what: string;
  readonly make: () => ActiveGeneration;
}

const troubled: readonly Troubled[] = [
  { what: "a prompt callback", make: () => answering([1], { onPromptProgress: throwing }) },
  {
    what: "an async prompt callback",
    make: () => answering([1], { onPromptProgress: async () => throwing() }),
  },
  { what: "a detokenizer at a token", make: () => answering([1], {}, { push: throwing }) },
  { what: "a detokenizer at the end", make: () => answering([1], {}, { end: throwing }) },
];

const textOf = ({ text }: { readonly text: string }): string => text;

describe("an answer", () => {
  it.each(troubled)("alone fails, with the error that it met, from $what", async ({ make }) => {
    const scheduler = await schedule();
    const [failing, beside, waiting] = [make(), answering([8]), answering([4])];
    for (const generation of [failing, beside, waiting]) scheduler.submit(generation);
    await expect(failing.result).rejects.toBe(trouble);
    await expect(drain(failing)).rejects.toBe(trouble);
    expect((await beside.result).tokens).toEqual([9, 10, 11]);
    expect((await waiting.result).tokens).toEqual([5, 6, 7]);
    expect(scheduler.failure).toBeUndefined();
    const later = answering([1]);
    scheduler.submit(later);
    expect((await later.result).tokens).toEqual([2, 3, 4]);
  });

  it("that is aborted rejects, and throws nothing at the signal, if its text cannot end", async () => {
    const stop = new AbortController();
    const generation = new Generation(answering([1], {}, { end: throwing }), stop.signal, textOf);
    stop.abort();
    await expect(generation.result).rejects.toBe(trouble);
  });

  it("gives chunks to calls of next that wait at once, in their order", async () => {
    const scheduler = await schedule();
    const active = answering([1]);
    const reader = new Generation(active, undefined, textOf)[Symbol.asyncIterator]();
    const calls = Array.from({ length: 5 }, () => reader.next());
    scheduler.submit(active);
    const seen = (await Promise.all(calls)).map(({ value }) => value?.token);
    expect(seen).toEqual([2, 3, 4, undefined, undefined]);
  });

  it("refuses a second reader with one error, and the first one goes on", async () => {
    const scheduler = await schedule();
    const active = answering([1]);
    const generation = new Generation(active, undefined, textOf);
    scheduler.submit(active);
    const read = async (): Promise<number> => {
      let count = 0;
      for await (const _ of generation) count++;
      return count;
    };
    const [first, second] = await Promise.allSettled([read(), read()]);
    expect(first).toEqual({ status: "fulfilled", value: 3 });
    expect(second).toMatchObject({ status: "rejected" });
    expect(() => generation[Symbol.asyncIterator]()).toThrow(HearthError);
    expect(() => generation[Symbol.asyncIterator]()).toThrow("text()");
  });
});

describe("a callback of a load", () => {
  const loads: readonly (CompileOptions & { readonly what: string })[] = [
    { what: "onProgress", onProgress: throwing },
    { what: "async onProgress", onProgress: async () => throwing() },
    { what: "onCompile", onCompile: throwing },
  ];
  it.each(loads)("$what that throws stops that load, which rejects with it", async (options) => {
    const { backend, program } = scriptedModel({});
    let disposed = 0;
    const reporting: typeof backend = {
      ...backend,
      compile: async (compiled, { onProgress, onCompile, signal } = {}) => {
        onProgress?.({ done: 1, total: 2 });
        onCompile?.(1);
        await new Promise((resolve) => setImmediate(resolve));
        expect(signal?.aborted).toBe(true);
        const executable = await backend.compile(compiled);
        return { ...executable, [Symbol.dispose]: () => disposed++ };
      },
    };
    const opening = Session.open(reporting, program, outputSlots, options);
    await expect(opening).rejects.toBe(trouble);
    expect(disposed).toBe(1);
  });
});
